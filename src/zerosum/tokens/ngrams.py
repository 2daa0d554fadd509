"""The n-gram ladder: how well models that see n - 1 tokens predict a held-out text. Numpy only.

A loss curve that bends at the loss of the bigram model bends where a model has learned which token follows which.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from time import monotonic
from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field

from zerosum.errors import InputError
from zerosum.estimate import Estimate
from zerosum.record import Record
from zerosum.tokens._held_out_windows import HeldOutDocument, some_windows
from zerosum.tokens._ngram_counts import (
    Ids,
    IdsInSlices,
    Keys,
    Places,
    Table,
    count_ngrams,
    held_out_ngrams,
    joined,
    stretches_of,
)

COUNTED = 1 << 24  # training tokens, at most
WINDOWS, LENGTH = 1024, 64  # held-out windows that are predicted, and predicted tokens of each
NATS = "nats per token"
_MODELS = ("unigram", "bigram", "trigram")

Count = Annotated[int, Field(ge=0, lt=1 << 62)]
Loss = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class Rung:
    """order: n. model: its name, such as bigram. loss: its cross-entropy, nats per token."""

    order: int
    model: str
    loss: Estimate


@dataclass(frozen=True, repr=False)
class NgramLadder(Record):
    """Cross-entropies of n-gram models of a training text on a held-out text.

    losses: of n = 1, 2, ..., nats per token. scored_tokens: held-out tokens that were predicted. train_tokens: of the
    training text; counted_tokens: of the stretches of it that were counted. seconds: that this took; None where it was
    not kept (an index is the same for the same data).
    """

    losses: Annotated[list[Loss], Field(min_length=1, max_length=16)]
    vocabulary: Annotated[int, Field(ge=1, le=1 << 32)]
    train_tokens: Count
    counted_tokens: Count
    scored_tokens: Count
    seconds: Loss | None = None
    smoothing: Literal["witten-bell"] = "witten-bell"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """The models in the order of n."""
        reason = "exact for these tokens; another text would give another value"
        method = f"interpolated Witten-Bell, counted on {self.counted_tokens} of {self.train_tokens} training tokens"
        return tuple(
            Rung(n, model_name(n), Estimate(loss, None, reason, self.scored_tokens, "tokens", NATS, method=method))
            for n, loss in enumerate(self.losses, start=1)
        )

    @property
    def by_model(self) -> dict[str, float]:
        """Model -> loss."""
        return {rung.model: rung.loss.value for rung in self.rungs}

    def is_of_the_same_text(self, other: "NgramLadder") -> bool:
        """Whether both have the same losses and counts; the time they took may differ."""
        return replace(self, seconds=None) == replace(other, seconds=None)

    def to_json(self) -> dict[str, Any]:
        """The counts, and `rungs`: order, model and loss of each."""
        document = asdict(self)
        del document["losses"]
        rungs = [{"order": rung.order, "model": rung.model, "loss": rung.loss.to_json()} for rung in self.rungs]
        return document | {"rungs": rungs}


def model_name(order: int) -> str:
    """What an n-gram model is called.

    >>> model_name(2), model_name(4)
    ('bigram', '4-gram')
    """
    return _MODELS[order - 1] if order <= len(_MODELS) else f"{order}-gram"


def ngram_ladder(
    train: IdsInSlices,
    held_out: Iterable[Ids],
    vocabulary: int,
    *,
    highest: int = 4,
    most_counted: int = COUNTED,
) -> NgramLadder:
    """Losses of the n-gram models of a training text, n = 1 to `highest`, on held-out windows, nats per token.

    Interpolated Witten-Bell: p_n(w | h) = (c(h w) + T(h) p_{n-1}(w | h')) / (c(h) + T(h)), where c counts in the
    training text, T(h) is the number of distinct tokens after h, h' is h without its first token, and p_0 = 1 / V; p_n
    is p_{n-1} for an h that never occurs (Witten and Bell 1991; Chen and Goodman 1999, section 2.5). The first token of
    a window is not predicted, and contexts begin with the window.

    train: [n] ids, in memory or on disk. held_out: ids of each window. The training text is counted in stretches of
    65,536 tokens: all of them, or as many at even distances as have `most_counted` tokens. Memory grows with this
    number and the windows, not with the text.
    Raises InputError where there is no training token, or no window of two tokens.
    """
    began = monotonic()
    ids, starts = joined(list(held_out))
    n_scored = len(ids) - len(starts)
    if not (len(train) and n_scored):
        raise InputError(f"{len(train)} training tokens, {len(ids)} held-out tokens: too few for n-grams. Add text.")
    keys, grams = held_out_ngrams(ids, starts, vocabulary, highest)
    stretches = stretches_of(len(train), most_counted)
    probability = np.full(len(ids), 1 / vocabulary)
    losses = []
    for own_keys, table in zip(keys, count_ngrams(train, stretches, grams, vocabulary), strict=True):
        probability = _witten_bell(own_keys, table, probability, vocabulary)
        losses.append(float(-np.log(np.delete(probability, starts)).mean()))
    n_counted = sum(stretch.stop - stretch.start for stretch in stretches)
    return NgramLadder(losses, vocabulary, len(train), n_counted, n_scored, monotonic() - began)


def ladder_of_documents(train: IdsInSlices, held_out: Iterable[HeldOutDocument], vocabulary: int) -> NgramLadder | None:
    """The ladder of a training text on windows of held-out documents; None where nothing can be predicted.

    At most 1,024 windows of 64 predicted tokens, as `held_out_windows` chooses them; of a shorter document, all of it.
    """
    windows = [window for window in some_windows(held_out, WINDOWS, LENGTH) if len(window) > 1]
    return ngram_ladder(train, windows, vocabulary, most_counted=COUNTED) if windows and len(train) else None


def _witten_bell(keys: Keys, table: Table, lower: Float[np.ndarray, " _"], vocabulary: int) -> Float[np.ndarray, " _"]:
    """p_n of each token. keys: of the n-gram that ends with it, below 0 where it has no context. lower: its p_{n-1}."""
    context = np.maximum(keys, 0) // vocabulary
    size = int(context.max()) + 1
    owner = table.keys // vocabulary
    total = np.bincount(owner, table.count, size)[context]
    types = np.bincount(owner, minlength=size)[context]
    place = Places(table.keys)(keys)
    count = np.where(place < 0, 0, np.append(table.count, 0)[place])
    is_seen = (keys >= 0) & (total > 0)
    return np.where(is_seen, (count + types * lower) / np.where(is_seen, total + types, 1), lower)
