"""How much of the held-out split occurs verbatim in the training split, by hashes of windows, in constant memory.

Letters: W ids are a window. Windows of the held-out split lie side by side inside their documents; in the training
split every position begins a window. Two windows count as equal where their 64-bit hashes are: among 10^6 held-out
windows and 10^9 training positions, a wrong match is expected 5e-5 times.
"""

from collections.abc import Iterator
from functools import cache

import numpy as np
from jaxtyping import Bool, Int64, Integer, UInt64

from zerosum.tokens.files._index import Overlap
from zerosum.tokens.files._stored_ids import StoredIds

WINDOW = 32  # tokens of a window
_CHUNK = 1 << 15  # ids hashed at a time: their hashes stay in the cache of a processor
_HELD_OUT_WINDOWS = 1 << 22  # held-out windows in memory; more of them need another pass over the training ids
_FACTOR = 0x9E3779B97F4A7C15

Ids = Integer[np.ndarray, " _"] | StoredIds


def overlap(train: Ids, held_out: Ids, starts: Int64[np.ndarray, " _"], window: int = WINDOW) -> Overlap:
    """Count the held-out windows, and those that occur in the training ids.

    starts: [D + 1] the bounds of the held-out documents.
    """
    n_windows = in_training = 0
    for hashes in _groups(_held_out_hashes(held_out, starts, window)):
        n_windows += len(hashes)
        in_training += int(_occurring(hashes, train, window).sum())
    return Overlap(window, n_windows, in_training)


def window_hashes(ids: Integer[np.ndarray, " n"], window: int) -> UInt64[np.ndarray, " m"]:
    """Hash of the `window` ids that begin at each of the n - window + 1 positions.

    The ids, mixed to 64 random-looking bits, are the coefficients of a polynomial modulo 2^64. It is built from the
    polynomials of windows of 1, 2, 4, ... ids: each step doubles the window, or adds one of these to it.
    """
    if len(ids) < window:
        return np.empty(0, np.uint64)
    power, size = _mixed(ids) if ids.itemsize > 2 else _mixed_words()[ids], 1  # hashes of windows of `size` ids
    total, length = np.zeros(len(ids) + 1, np.uint64), 0  # hashes of windows of `length` ids
    while True:
        if window & size:
            total = total[: len(power) - length] * _factor(size) + power[length:]
            length += size
        if 2 * size > window:
            return total
        power = power[:-size] * _factor(size) + power[size:]
        size *= 2


def _factor(power: int) -> np.uint64:
    return np.uint64(pow(_FACTOR, power, 1 << 64))


def _mixed(ids: Integer[np.ndarray, " n"]) -> UInt64[np.ndarray, " n"]:
    """splitmix64 of each id."""
    mixed = (ids.astype(np.uint64) + np.uint64(1)) * np.uint64(_FACTOR)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


@cache
def _mixed_words() -> UInt64[np.ndarray, " 65536"]:
    """`_mixed` of every id of 16 bits."""
    return _mixed(np.arange(1 << 16))


def _chunks(ids: Ids, window: int) -> Iterator[tuple[int, UInt64[np.ndarray, " m"]]]:
    """Hashes of all windows in chunks, each with the position of its first window."""
    for first in range(0, len(ids) - window + 1, _CHUNK):
        yield first, window_hashes(ids[first : first + _CHUNK + window - 1], window)


def _held_out_hashes(ids: Ids, bounds: Int64[np.ndarray, " _"], window: int) -> Iterator[UInt64[np.ndarray, " _"]]:
    """Hashes of the held-out windows, in chunks."""
    for first, hashes in _chunks(ids, window):
        end = first + len(hashes)  # no window of this chunk begins there or later
        documents = slice(int(np.searchsorted(bounds, first, side="right")) - 1, int(np.searchsorted(bounds, end)))
        starts, ends = bounds[documents], bounds[1:][documents]
        starts = starts + np.maximum(0, -(-(first - starts) // window)) * window
        yield hashes[_window_starts(starts, np.minimum(ends, end + window - 1), window) - first]


def _window_starts(
    starts: Int64[np.ndarray, " D"], ends: Int64[np.ndarray, " D"], window: int
) -> Int64[np.ndarray, " _"]:
    """Where windows begin that lie side by side in documents from `starts` to `ends`."""
    per_document = np.maximum(0, ends - starts) // window
    number = np.arange(per_document.sum()) - np.repeat(np.cumsum(per_document) - per_document, per_document)
    all_starts: Int64[np.ndarray, " _"] = np.repeat(starts, per_document) + number * window
    return all_starts


def _groups(chunks: Iterator[UInt64[np.ndarray, " _"]]) -> Iterator[UInt64[np.ndarray, " _"]]:
    """The same hashes in arrays that each fill the memory allowed for them."""
    waiting: list[UInt64[np.ndarray, " _"]] = []
    for chunk in chunks:
        waiting.append(chunk)
        if sum(map(len, waiting)) >= _HELD_OUT_WINDOWS:
            yield np.concatenate(waiting)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)


def _occurring(hashes: UInt64[np.ndarray, " m"], train: Ids, window: int) -> Bool[np.ndarray, " m"]:
    """Which of the hashes some window of the training ids has."""
    known, place = np.unique(hashes, return_inverse=True)
    is_found = np.zeros(len(known), bool)
    if not len(known):
        return is_found[place]
    n_bits = min(24, max(10, 4 + len(known).bit_length()))
    may_match = np.zeros(1 << n_bits, bool)  # by the first bits of a hash; most training positions end here
    may_match[known >> np.uint64(64 - n_bits)] = True
    for _, found in _chunks(train, window):
        candidates = found[may_match[found >> np.uint64(64 - n_bits)]]
        at = np.minimum(np.searchsorted(known, candidates), len(known) - 1)
        is_found[at[known[at] == candidates]] = True
    return is_found[place]
