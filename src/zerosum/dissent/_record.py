"""The record of one checkpoint's dissent: what is returned, stored, read back and shown. Needs no torch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import nan
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from zerosum.checkpoints import Problem
from zerosum.dissent._forces import ForceProducts
from zerosum.estimate import Estimate, numbers_or_reasons
from zerosum.gradients.source import checkpoint_to_json
from zerosum.interference.labelled import EXCLUDED_CODES
from zerosum.record import Record

Ends = tuple[float, float]
Place = Literal["token", "rows", "head", "body"]
PLACES: tuple[Place, ...] = ("token", "rows", "head", "body")
"""Where dissent is measured: at each token's last hidden state, at each row of the head that is a label, and of all N
tokens together at the whole head and in all parameters below it."""
VECTORS: tuple[Place, ...] = ("head", "body")  # places where all tokens together are one vector
NUMBERS = ("dissent", "magnitude_ratio", "cancellation")
QUANTILES = (5, 25, 50, 75, 95)  # percent
LEVEL = 0.95
ONE_VECTOR = (
    "one vector of all N tokens together, of which no parts by sequence are kept to resample: exact for these tokens, "
    "another draw of texts would differ"
)
ONE_MATRIX = "rows of one matrix share the same N tokens, so they are no sample: exact for these tokens"
NO_FORCE = "attraction or repulsion is 0 here, but for rounding"
BATCH_VALUES = (
    "head and body are one vector each of all N tokens: 1 at any stationary point of their mean loss, whatever the "
    "model, and another for another N"
)


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

    @property
    def estimate(self) -> Estimate:
        """The mean with its interval, or why there is none."""
        known = np.isfinite(self.mean)
        reason = "" if known and self.interval else (self.reason or "not given") if known else NO_FORCE
        return Estimate(self.mean, self.interval, reason, self.N, level=LEVEL)

    def to_json(self) -> dict[str, Any]:
        """mean, interval, quantiles, N and left_out; null with a reason where there is no number."""
        document = numbers_or_reasons({"mean": self.mean}, NO_FORCE)
        document["interval"] = None if self.interval is None else list(self.interval)
        document |= {} if self.interval is not None else {"interval_reason": self.reason or "not given"}
        quantiles: dict[str, Any] = {f"{percent}%": value for percent, value in self.quantiles.items()}
        return document | {"quantiles": quantiles, "N": self.N, "left_out": self.left_out}


@dataclass(frozen=True)
class PartForces:
    """Both forces on one parameter or layer. kind: of a parameter; "layer" of a layer."""

    name: str
    kind: str
    forces: ForceProducts

    def to_json(self) -> dict[str, Any]:
        """name, kind, and the numbers of both forces."""
        return {"name": self.name, "kind": self.kind} | forces_to_json(self.forces)


@dataclass(frozen=True)
class FrequencyClass:
    """Tokens whose labels occur about equally often among the tokens measured: `low` to `high` times.

    n_labels: distinct labels. token: loss (nats), dissent, magnitude_ratio and cancellation of its tokens. rows: the
    latter three of its labels' rows of the head; empty where the head is frozen.
    """

    low: int
    high: int
    n_labels: int
    token: Mapping[str, Spread]
    rows: Mapping[str, Spread]

    @property
    def name(self) -> str:
        """How often the labels occur, as "4 to 15"."""
        return f"{self.low:,} to {self.high:,}"

    def to_json(self) -> dict[str, Any]:
        """label_count, n_labels, token and rows."""
        document: dict[str, Any] = {"label_count": self.name, "n_labels": self.n_labels}
        return document | {"token": _spreads(self.token), "rows": _spreads(self.rows)}


@dataclass(frozen=True, repr=False, eq=False)
class Dissent(Record):
    """How far attraction towards the labels and repulsion from all other tokens oppose each other, for N tokens.

    Each place has three numbers: dissent -cos(a, r), in [-1, 1], 1 is total dissent; magnitude_ratio ||r|| / ||a||;
    cancellation 1 - ||a + r|| / (||a|| + ||r||), in [0, 1]. `estimate(place, number)` gives each.

    token: name -> of each token, at its last hidden state. rows: name -> of each row of the head that labels a token,
    all tokens together; n_unlabelled: rows that label none, which nothing attracts. head: all rows of the head as one
    vector. body: both forces at all hidden states, propagated back and summed over the N tokens, as one vector of all
    trainable parameters below the head; parameters, layers: its parts. head, body: None where all of it is frozen,
    `reasons` then says so. frequency: by how often the label occurs among these tokens.
    loss: of each token, nats. units: what intervals resample, n_units: how many there are. source, step, tokens_seen:
    the checkpoint, where it is one of a run. problems: of the
    checkpoint or its stored measurement. per_token: [S, T] of each token, NaN at padding; not stored.

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
    source: str = ""
    step: int | None = None
    tokens_seen: int | None = None
    problems: tuple[Problem, ...] = ()
    per_token: Mapping[str, Float[np.ndarray, "S T"]] = field(default_factory=dict)

    # How pydantic stores it: not-a-number as a word, without the arrays.
    __pydantic_config__ = {"arbitrary_types_allowed": True, "ser_json_inf_nan": "strings"}  # noqa: RUF012

    @property
    def is_sound(self) -> bool:
        """Whether its model is the one that was trained; if not, it is compared with nothing."""
        return not any(problem.code in EXCLUDED_CODES for problem in self.problems)

    def estimate(self, place: Place, name: str = "dissent") -> Estimate:
        """One of NUMBERS at one of PLACES: the mean over tokens or rows, or the number of one vector."""
        if spreads := self.spreads(place):
            return spreads[name].estimate
        vector = "body" if place == "body" else "head"
        forces: ForceProducts | None = getattr(self, vector)
        return Estimate(nan, reason=self.reasons[vector]) if forces is None else estimate_of(forces, name, self.N)

    def spreads(self, place: Place) -> Mapping[str, Spread]:
        """The numbers of all tokens or all rows; empty at places that are one vector, and for rows of a frozen head."""
        return {"token": self.token, "rows": self.rows}.get(place, {})

    def to_json(self) -> dict[str, Any]:
        """The same for scripts, but for each token: null where there is no number, and `<name>_reason` beside it.

        Forces are nats per unit of the hidden state, of the head's rows, or of the parameters.
        """
        document = checkpoint_to_json(self.source, self.step, self.tokens_seen)
        document |= {"N": self.N, "n_sequences": self.n_sequences, "seed": self.seed}
        document |= {"units": self.units, "n_units": self.n_units}
        document |= {"loss": self.loss.to_json(), "token": _spreads(self.token)}
        document |= self._vector("head", self.head)
        if self.head is not None:
            document["head"] |= {"n_unlabelled": self.n_unlabelled, "rows": _spreads(self.rows)}
        document |= self._vector("body", self.body)
        document["parameters"] = [part.to_json() for part in self.parameters]
        document["layers"] = [part.to_json() for part in self.layers]
        document["frequency"] = [labels.to_json() for labels in self.frequency]
        document |= {"problems": [asdict(problem) for problem in self.problems]} if self.problems else {}
        return document | {"level": LEVEL, "notes": [BATCH_VALUES, *self.notes]}

    def _vector(self, place: Place, forces: ForceProducts | None) -> dict[str, Any]:
        if forces is None:
            return {place: None, f"{place}_reason": self.reasons[place]}
        return {place: forces_to_json(forces) | {"interval": None, "interval_reason": ONE_VECTOR}}


def estimate_of(forces: ForceProducts, name: str, N: int) -> Estimate:
    """One of NUMBERS of two forces that are one vector each of N tokens together."""
    value = float(getattr(forces, name))
    return Estimate(value, None, ONE_VECTOR if np.isfinite(value) else NO_FORCE, N, "tokens")


def forces_to_json(forces: ForceProducts) -> dict[str, Any]:
    """NUMBERS, the lengths of both forces, and how many coordinates they have."""
    values = {name: getattr(forces, name) for name in NUMBERS}
    norms = {"norm_attraction": forces.attraction**0.5, "norm_repulsion": forces.repulsion**0.5}
    return numbers_or_reasons(values, NO_FORCE) | norms | {"numel": forces.numel}


def _spreads(spreads: Mapping[str, Spread]) -> dict[str, Any]:
    return {name: spread.to_json() for name, spread in spreads.items()}
