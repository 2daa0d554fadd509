"""From which point on two runs differ: where their losses part for good, by more than noise.

Letters: b log bins that both curves have.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.ndimage import median_filter, uniform_filter1d

from zerosum.deceleration.binning import BINS_PER_DECADE, bin_means, bin_starts

FEWEST, SMOOTH, AROUND = 15, 5, 15  # bins: needed, averaged, and those that tell how large the noise is
SURE = 4.0  # standard errors: every bin is asked


@dataclass(frozen=True)
class LogCurve:
    """x: [n] log steps or log tokens, not falling. y: [n] log losses (nats)."""

    x: Float[np.ndarray, " n"]
    y: Float[np.ndarray, " n"]


def part_from(a: LogCurve, b: LogCurve) -> float | None:
    """The log position from which on the two losses differ, always the same way, up to the end they share, or None.

    The mean of 5 log bins counts as different where it is 4 standard errors from zero, the noise of a bin being read
    off second differences in its neighbourhood. What moves slowly is a difference, not noise: two seeds may differ.
    """
    both = common_bins(a, b)
    x, d = both.x, both.y
    if len(d) < FEWEST:
        return None
    curvature = np.abs(np.diff(d, 2)) / np.sqrt(6)
    noise = 1.4826 * median_filter(np.pad(curvature, 1, mode="edge"), size=AROUND, mode="nearest")
    mean = uniform_filter1d(d, SMOOTH, mode="nearest")
    different = np.sign(mean) * (np.abs(mean) > SURE * noise / np.sqrt(SMOOTH))
    same = different == different[-1]
    if different[-1] == 0:
        return None
    start = 0 if same.all() else len(same) - int((~same[::-1]).argmax())
    return float(x[start])


def common_bins(a: LogCurve, b: LogCurve) -> LogCurve:
    """Mean position and difference of mean log loss, b minus a, of the log bins that both curves have."""
    edges_a, edges_b = (np.floor(c.x * BINS_PER_DECADE / np.log(10)).astype(np.int64) for c in (a, b))
    starts_a, starts_b = bin_starts(edges_a), bin_starts(edges_b)
    if len(edges_a) == 0 or len(edges_b) == 0:
        return LogCurve(np.zeros(0), np.zeros(0))
    _, in_a, in_b = np.intersect1d(edges_a[starts_a], edges_b[starts_b], return_indices=True)
    x = bin_means(a.x, starts_a)[in_a]
    return LogCurve(x, bin_means(b.y, starts_b)[in_b] - bin_means(a.y, starts_a)[in_a])
