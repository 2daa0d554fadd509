"""Batches of a split: their order is a pure function of seed and step.

Letters: a window has L + 1 ids, which predict L ids; S windows are a batch; D documents; n windows are an epoch.
"""

from functools import lru_cache
from typing import Any, Literal

import numpy as np
from jaxtyping import Int64

from zerosum.errors import InputError
from zerosum.tokens._sequences import PADDING
from zerosum.tokens.files._open import Split

Packing = Literal["packed", "cut"]


def epoch_batch(
    split: Split, seed: int, step: int, sequences: int, length: int, packing: Packing = "packed"
) -> tuple[Int64[np.ndarray, "S window"], Int64[np.ndarray, " S"]]:
    """The batch of the update from `step` to `step + 1`: ids [S, L + 1], and the domain of each window [S].

    packing: "packed": windows follow each other in the row of all documents and cross their bounds; each begins with
    the last id of the window before, and the rest of the row that fills no window is not used. "cut": no window crosses
    the bounds of a document; the last window of a document is padded with -1.
    Windows are numbered over all steps. Each window comes once in every epoch, in an order that depends on (seed,
    epoch) alone; a batch may cross the end of an epoch. The domain of a window is that of the first token it predicts.
    The work does not depend on the size of the split, except for the first batch of an epoch.
    Raises InputError where the split has no window.
    """
    n = n_windows(split, length, packing)
    if n == 0:
        raise InputError(f"{len(split.ids)} tokens: no window of {length} tokens and the token after them. Add text.")
    if min(seed, step) < 0 or sequences < 1:
        raise InputError(f"seed {seed}, step {step}, {sequences} sequences: below their least values 0, 0 and 1.")
    numbers = np.arange(step * sequences, (step + 1) * sequences)
    epochs, places = np.divmod(numbers, n)
    windows = np.empty(sequences, np.int64)
    for epoch in np.unique(epochs).tolist():
        inside = epochs == epoch
        windows[inside] = _order(seed, epoch, n)[places[inside]]
    return _cut(split, windows, length) if packing == "cut" else _packed(split, windows, length)


def n_windows(split: Split, length: int, packing: Packing = "packed") -> int:
    """Windows of an epoch. Raises InputError for a length below 1."""
    if length < 1:
        raise InputError(f"length {length}: windows predict at least 1 token.")
    if packing == "cut":
        return int(_windows_before(split, length)[-1])
    return max(0, len(split.ids) - 1) // length


def _packed(split: Split, windows: Int64[np.ndarray, " S"], length: int) -> tuple[Any, Any]:
    starts = windows * length
    ids = split.ids[starts[:, None] + np.arange(length + 1)].astype(np.int64)
    documents = np.searchsorted(split.starts, starts + 1, side="right") - 1
    return ids, split.domain[documents].astype(np.int64)


def _cut(split: Split, windows: Int64[np.ndarray, " S"], length: int) -> tuple[Any, Any]:
    before = _windows_before(split, length)
    documents = np.searchsorted(before, windows, side="right") - 1
    starts = split.starts[documents] + (windows - before[documents]) * length
    places = starts[:, None] + np.arange(length + 1)
    is_inside = places < split.starts[documents + 1][:, None]
    ids = np.where(is_inside, split.ids[np.minimum(places, len(split.ids) - 1)].astype(np.int64), PADDING)
    return ids, split.domain[documents].astype(np.int64)


@lru_cache(maxsize=4)
def _windows_before(split: Split, length: int) -> Int64[np.ndarray, " _"]:
    """[D + 1] windows of all documents before each document; a document of m ids has ceil((m - 1) / L)."""
    per_document = -(-(np.diff(split.starts) - 1) // length)
    return np.concatenate([[0], np.cumsum(per_document)]).astype(np.int64)


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, n: int) -> Any:
    """[n] the windows of an epoch in their random order."""
    numbers = np.arange(n, dtype=np.uint32 if n <= 1 << 32 else np.int64)
    return np.random.default_rng(np.random.SeedSequence([seed, epoch])).permutation(numbers)
