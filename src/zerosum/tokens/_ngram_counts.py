"""Counts of the n-grams of a training text whose contexts are in a held-out text. Numpy only.

Letters: V ids; an n-gram is its context (the n - 1 tokens before) and its last token w. A context is known by its place
among the distinct contexts of the held-out text, so that the key of an n-gram, place * V + w, fits 64 bits for any n.
"""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64, Integer

STRETCH = 1 << 16  # training tokens that are counted as a text of their own
_CHUNK = 32  # stretches counted at a time
_LARGEST_TABLE = 1 << 25  # entries of 4 bytes

Ids = Integer[np.ndarray, " _"]
Keys = Int64[np.ndarray, " _"]


@runtime_checkable
class IdsInSlices(Protocol):
    """Ids of a text, in memory or on disk."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> Any: ...


@dataclass(frozen=True)
class Table:
    """keys: [K] of distinct n-grams, rising. count: [K] how often each occurs."""

    keys: Keys
    count: Keys


def held_out_ngrams(ids: Ids, starts: Keys, vocabulary: int, highest: int) -> tuple[list[Keys], list[Keys]]:
    """For n = 1 to `highest`: the key of the n-gram that ends at each token, and the distinct keys, rising."""
    all_keys, all_grams = [], []
    context = np.zeros(len(ids), np.int64)
    for _ in range(highest):
        keys = context * vocabulary + ids
        grams = np.unique(keys[keys >= 0])
        context = _next_context(Places(grams)(keys), starts)
        all_keys.append(keys)
        all_grams.append(grams)
    return all_keys, all_grams


def count_ngrams(train: IdsInSlices, stretches: list[slice], grams: list[Keys], vocabulary: int) -> list[Table]:
    """For each n: how often n-grams occur in the training text whose context is in the held-out text."""
    nothing = np.empty(0, np.int64)
    tables = [Table(nothing, nothing)] * len(grams)
    lookups = [Places(known) for known in grams[:-1]]
    for first in range(0, len(stretches), _CHUNK):
        ids, starts = joined([train[stretch] for stretch in stretches[first : first + _CHUNK]])
        context = np.zeros(len(ids), np.int64)
        for order in range(len(grams)):
            keys = context * vocabulary + ids
            tables[order] = _added(tables[order], keys)
            if order < len(lookups):
                context = _next_context(lookups[order](keys), starts)
    return tables


def _added(table: Table, keys: Keys) -> Table:
    """The table with further n-grams counted; keys below 0 are left out."""
    new, count = np.unique(keys, return_counts=True)
    negative = int(np.searchsorted(new, 0))
    new, count = new[negative:], count[negative:]
    both = np.unique(np.concatenate([table.keys, new]))
    total = np.zeros(len(both), np.int64)
    total[np.searchsorted(both, table.keys)] += table.count
    total[np.searchsorted(both, new)] += count
    return Table(both, total)


class Places:
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


def joined(pieces: list[Ids]) -> tuple[Keys, Keys]:
    """The ids of all pieces, one after the other, and where each piece starts."""
    pieces = [piece for piece in pieces if len(piece)]
    ids = np.concatenate([np.empty(0, np.int64), *(piece.astype(np.int64) for piece in pieces)])
    return ids, np.cumsum([0, *map(len, pieces)])[:-1]


def stretches_of(n: int, most: int) -> list[slice]:
    """Stretches of a text of n tokens: all of it, or at most so many tokens of it at even distances."""
    n_stretches = -(-n // STRETCH)
    n_taken = min(n_stretches, max(1, most // STRETCH))
    starts = [STRETCH * (number * n_stretches // n_taken) for number in range(n_taken)]
    return [slice(start, min(start + STRETCH, n)) for start in starts]
