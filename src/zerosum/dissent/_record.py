"""What one measurement of dissent says: every number with its N and how sure it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import nan
from typing import Any

import numpy as np
from jaxtyping import Float

from zerosum.dissent._forces import ForceProducts

Ends = tuple[float, float]
QUANTILES = (5, 25, 50, 75, 95)  # percent
ONE_VECTOR = (
    "one vector of all N tokens together, of which no parts by sequence are kept to resample: exact for these tokens, "
    "another draw of texts would differ"
)
ONE_MATRIX = "rows of one matrix share the same N tokens, so they are no sample: exact for these tokens"


@dataclass(frozen=True)
class Spread:
    """A number that each of many tokens or rows has. mean, quantiles (percent -> value): NaN where none has it.

    N: how many have it. left_out: how many have not, because a force is 0 there. interval: 95 % ends of the mean;
    None where there is none, `reason` then says why.
    """

    mean: float = nan
    quantiles: Mapping[int, float] = field(default_factory=dict)
    N: int = 0
    left_out: int = 0
    interval: Ends | None = None
    reason: str | None = None


@dataclass(frozen=True)
class PartForces:
    """Both forces on one parameter or layer. kind: of a parameter; "layer" of a layer."""

    name: str
    kind: str
    forces: ForceProducts


@dataclass(frozen=True)
class FrequencyClass:
    """Tokens whose labels come about equally often. name: how often, as "4 to 15". n_labels: distinct labels.

    token: loss (nats), dissent, magnitude_ratio and cancellation of its tokens. rows: the latter three of its labels'
    rows of the head; empty where the head is frozen.
    """

    name: str
    n_labels: int
    token: Mapping[str, Spread]
    rows: Mapping[str, Spread]


@dataclass(frozen=True)
class Dissent:
    """How far attraction towards the labels and repulsion from all other tokens oppose each other, for N tokens.

    Each place has three numbers: dissent -cos(a, r), in [-1, 1], 1 is total dissent; magnitude_ratio ||r|| / ||a||;
    cancellation 1 - ||a + r|| / (||a|| + ||r||), in [0, 1].

    token: name -> of each token, at its last hidden state. rows: name -> of each row of the head that labels a token,
    all tokens together; n_unlabelled: rows that label none, which nothing attracts. head: all rows of the head as one
    vector. body: both forces at all hidden states, propagated back and summed over the N tokens, as one vector of all
    trainable parameters below the head; parameters, layers: its parts. head, body: None where all of it is frozen,
    `reasons` then says so. frequency: by how often the label comes among these tokens.
    loss: of each token, nats. units: what intervals resample, n_units: how many there are. per_token: [S, T] of each
    token, NaN at padding.

    head and body are 1 at every stationary point of the mean loss of these tokens, whatever the model, and depend on N:
    read them beside the loss, and compare them for one N. A matrix that is embedding and head has two paths: the one
    through the body is among `parameters`, the one as the head is `head`; of such a model the two need not be 1 there,
    as each path has a gradient that the other one's cancels.
    """

    N: int
    n_sequences: int
    seed: int
    units: str
    n_units: int
    loss: Spread
    token: Mapping[str, Spread]
    rows: Mapping[str, Spread]
    n_unlabelled: int
    head: ForceProducts | None
    body: ForceProducts | None
    parameters: tuple[PartForces, ...]
    layers: tuple[PartForces, ...]
    frequency: tuple[FrequencyClass, ...]
    reasons: Mapping[str, str]
    notes: tuple[str, ...]
    per_token: Mapping[str, Float[np.ndarray, "S T"]] = field(default_factory=dict, repr=False)

    def to_json(self) -> dict[str, Any]:
        """The same for scripts, but for each token: null where there is no number, and `<name>_reason` beside it."""
        from zerosum.dissent._document import document

        return document(self)
