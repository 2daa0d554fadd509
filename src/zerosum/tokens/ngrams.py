"""The n-gram ladder: how well models that see n - 1 tokens predict a held-out text. Numpy only.

A loss curve that bends at the loss of the bigram model bends where a model has learned which token follows which.

Letters: V ids; an n-gram is its context (the n - 1 tokens before) and its last token w. A context is known by its place
among the distinct contexts of the held-out text, so that the key of an n-gram, place * V + w, fits 64 bits for any n.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from time import monotonic
from typing import Annotated, Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int64, Integer
from pydantic import Field

from zerosum.errors import InputError
from zerosum.estimate import Estimate
from zerosum.record import Record
from zerosum.tokens._held_out_windows import HeldOutDocument, some_windows

HIGHEST = 4
COUNTED = 1 << 24  # training tokens
WINDOWS, LENGTH = 1024, 64  # held-out windows that are predicted, and predicted tokens of each
STRETCH = 1 << 16  # training tokens that are counted as a text of their own
_CHUNK = 32  # stretches counted at a time
_LARGEST_TABLE = 1 << 25  # entries of 4 bytes
NATS = "nats per token"
_MODELS = ("unigram", "bigram", "trigram")

Ids = Integer[np.ndarray, " _"]
Keys = Int64[np.ndarray, " _"]
Count = Annotated[int, Field(ge=0, lt=1 << 62)]
Loss = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@runtime_checkable
class IdsInSlices(Protocol):
    """Ids of a text, in memory or on disk."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> Any: ...


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
    ids, starts = _joined(list(held_out))
    n_scored = len(ids) - len(starts)
    if not (len(train) and n_scored):
        raise InputError(f"{len(train)} training tokens, {len(ids)} held-out tokens: too few for n-grams. Add text.")
    keys, grams = _held_out_ngrams(ids, starts, vocabulary, highest)
    stretches = _stretches(len(train), most_counted)
    probability = np.full(len(ids), 1 / vocabulary)
    losses = []
    for own_keys, table in zip(keys, _counted(train, stretches, grams, vocabulary), strict=True):
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


@dataclass(frozen=True)
class _Table:
    """keys: [K] of distinct n-grams, rising. count: [K] how often each occurs."""

    keys: Keys
    count: Keys


def _witten_bell(keys: Keys, table: _Table, lower: Float[np.ndarray, " _"], vocabulary: int) -> Float[np.ndarray, " _"]:
    """p_n of each token. keys: of the n-gram that ends with it, below 0 where it has no context. lower: its p_{n-1}."""
    context = np.maximum(keys, 0) // vocabulary
    size = int(context.max()) + 1
    owner = table.keys // vocabulary
    total = np.bincount(owner, table.count, size)[context]
    types = np.bincount(owner, minlength=size)[context]
    place = _Places(table.keys)(keys)
    count = np.where(place < 0, 0, np.append(table.count, 0)[place])
    is_seen = (keys >= 0) & (total > 0)
    return np.where(is_seen, (count + types * lower) / np.where(is_seen, total + types, 1), lower)


def _held_out_ngrams(ids: Ids, starts: Keys, vocabulary: int, highest: int) -> tuple[list[Keys], list[Keys]]:
    """For n = 1 to `highest`: the key of the n-gram that ends at each token, and the distinct keys, rising."""
    all_keys, all_grams = [], []
    context = np.zeros(len(ids), np.int64)
    for _ in range(highest):
        keys = context * vocabulary + ids
        grams = np.unique(keys[keys >= 0])
        context = _next_context(_Places(grams)(keys), starts)
        all_keys.append(keys)
        all_grams.append(grams)
    return all_keys, all_grams


def _counted(train: IdsInSlices, stretches: list[slice], grams: list[Keys], vocabulary: int) -> list[_Table]:
    """For each n: how often n-grams occur in the training text whose context is in the held-out text."""
    nothing = np.empty(0, np.int64)
    tables = [_Table(nothing, nothing)] * len(grams)
    lookups = [_Places(known) for known in grams[:-1]]
    for first in range(0, len(stretches), _CHUNK):
        ids, starts = _joined([train[stretch] for stretch in stretches[first : first + _CHUNK]])
        context = np.zeros(len(ids), np.int64)
        for order in range(len(grams)):
            keys = context * vocabulary + ids
            tables[order] = _added(tables[order], keys)
            if order < len(lookups):
                context = _next_context(lookups[order](keys), starts)
    return tables


def _added(table: _Table, keys: Keys) -> _Table:
    """The table with further n-grams counted; keys below 0 are left out."""
    new, count = np.unique(keys, return_counts=True)
    negative = int(np.searchsorted(new, 0))
    new, count = new[negative:], count[negative:]
    both = np.unique(np.concatenate([table.keys, new]))
    total = np.zeros(len(both), np.int64)
    total[np.searchsorted(both, table.keys)] += table.count
    total[np.searchsorted(both, new)] += count
    return _Table(both, total)


class _Places:
    """Where a key is in a rising row of keys; -1 where it is not. By a table where that is small: 15 times as fast."""

    def __init__(self, among: Keys):
        self._among = among
        size = int(among[-1]) + 1 if len(among) else 0
        self._table = None if size > _LARGEST_TABLE else np.full(size + 1, -1, np.int32)  # the last stays -1
        if self._table is not None:
            self._table[among] = np.arange(len(among))

    def __call__(self, keys: Keys) -> Keys:
        if self._table is not None:
            place: Keys = self._table[np.clip(keys, -1, len(self._table) - 1)].astype(np.int64)
            return place
        place = np.minimum(np.searchsorted(self._among, keys), len(self._among) - 1)
        return np.where(self._among[place] == keys, place, -1)


def _next_context(places: Keys, starts: Keys) -> Keys:
    """The context of each token for n + 1: the place of the n-gram that ends before it; -1 where there is none.

    With -1 as the place, the key of an n-gram is below 0.
    """
    context = np.empty_like(places)
    context[1:] = places[:-1]
    context[starts] = -1
    return context


def _joined(pieces: list[Ids]) -> tuple[Keys, Keys]:
    """The ids of all pieces, one after the other, and where each piece starts."""
    pieces = [piece for piece in pieces if len(piece)]
    ids = np.concatenate([np.empty(0, np.int64), *(piece.astype(np.int64) for piece in pieces)])
    return ids, np.cumsum([0, *map(len, pieces)])[:-1]


def _stretches(n: int, most: int) -> list[slice]:
    """Stretches of a text of n tokens: all of it, or at most so many tokens of it at even distances."""
    n_stretches = -(-n // STRETCH)
    n_taken = min(n_stretches, max(1, most // STRETCH))
    starts = [STRETCH * (number * n_stretches // n_taken) for number in range(n_taken)]
    return [slice(start, min(start + STRETCH, n)) for start in starts]
