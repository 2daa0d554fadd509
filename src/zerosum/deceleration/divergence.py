"""Finds from which point on the losses of two runs differ for good, by more than noise.

Letters: b log bins that both curves have.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from zerosum.deceleration.binning import bin_means, bin_starts, bins_from_end

FEWEST, SMOOTH, AROUND = 15, 5, 31  # bins: needed, averaged, and those that tell how large the noise is
SURE = 4.0  # standard errors: every bin is asked


@dataclass(frozen=True)
class LogCurve:
    """x: [n] log steps or log tokens, not falling. y: [n] log losses (nats)."""

    x: Float[np.ndarray, " n"]
    y: Float[np.ndarray, " n"]


def part_from(a: LogCurve, b: LogCurve) -> float | None:
    """The log position from which on the two losses differ, always the same way, up to the end they share, or None.

    The mean of 5 log bins counts as different where it is 4 standard errors from zero, the noise of a bin being read
    off second differences in its neighbourhood. What moves slowly is a difference, not noise: two seeds may differ,
    and noise that lasts for as many rows as a bin holds (AR(1) of 0.99 before step 4,000) looks like one.
    """
    both = common_bins(a, b)
    x, d = both.x, both.y
    if len(d) < FEWEST:
        return None
    curvature = np.abs(np.diff(d, 2)) / np.sqrt(6)
    around, near = min(AROUND, len(curvature)), np.arange(len(d))
    noise = 1.4826 * np.median(_windows(curvature, around), axis=1)[_window_of(near - 1, around, len(curvature))]
    mean = _windows(d, SMOOTH).mean(axis=1)[_window_of(near, SMOOTH, len(d))]
    different = np.sign(mean) * (np.abs(mean) > SURE * noise / np.sqrt(SMOOTH))
    same = different == different[-1]
    if different[-1] == 0:
        return None
    start = 0 if same.all() else len(same) - int((~same[::-1]).argmax())
    return float(x[start])


def _windows(values: Float[np.ndarray, " n"], size: int) -> Float[np.ndarray, "windows size"]:
    windows: Float[np.ndarray, "windows size"] = np.lib.stride_tricks.sliding_window_view(values, size)
    return windows


def _window_of(place: Int[np.ndarray, " k"], size: int, n: int) -> Int[np.ndarray, " k"]:
    """The window around each place; at the ends the last whole window, since repeated values would understate noise."""
    return np.asarray(np.clip(place - size // 2, 0, n - size))


def common_bins(a: LogCurve, b: LogCurve) -> LogCurve:
    """Mean position and difference of mean log loss, b minus a, of the log bins that both curves have.

    The bins end where the shorter curve does, so that the last one is complete in both.
    """
    none = LogCurve(np.zeros(0), np.zeros(0))
    if len(a.x) == 0 or len(b.x) == 0:
        return none
    end = min(a.x[-1], b.x[-1])
    a, b = (LogCurve(c.x[c.x <= end + 1e-9], c.y[c.x <= end + 1e-9]) for c in (a, b))
    if len(a.x) == 0 or len(b.x) == 0:
        return none
    index_a, index_b = (-bins_from_end(c.x, end) for c in (a, b))
    starts_a, starts_b = bin_starts(index_a - index_a[0]), bin_starts(index_b - index_b[0])
    _, in_a, in_b = np.intersect1d(index_a[starts_a], index_b[starts_b], return_indices=True)
    x = bin_means(a.x, starts_a)[in_a]
    return LogCurve(x, bin_means(b.y, starts_b)[in_b] - bin_means(a.y, starts_a)[in_a])
