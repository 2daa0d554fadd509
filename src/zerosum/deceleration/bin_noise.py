"""Covariance of the noise of log bins: of means of the rows of a raw log, or of the rows of a smoothed one.

Letters: R rows, b bins.
"""

import numpy as np
from jaxtyping import Float, Int

from zerosum.deceleration.binning import bin_means
from zerosum.deceleration.row_noise import (
    CLOSE,
    FEWEST_PAIRS,
    RowNoise,
    bin_correlation,
    log_linear_sd,
    row_noise,
    straightened,
    window_correlation,
)
from zerosum.deceleration.smoothing import window_start

LAG = 4  # smoothed rows: further apart than raw noise is correlated
SMOOTHED = 0.5  # correlation of neighbouring rows from which on a log on the published grid may have been smoothed

Rows = Float[np.ndarray, " R"]
Starts = Int[np.ndarray, " b"]
Covariance = Float[np.ndarray, "b b"]
Windows = Int[np.ndarray, "R 2"]


def noise_of_bins(x: Rows, noise: RowNoise, starts: Starts) -> Covariance:
    """Of bins of raw rows at log steps x; a bin begins at each of `starts`."""
    sd = noise.sd(bin_means(x, starts))
    return np.asarray(sd[:, None] * sd * bin_correlation(np.append(starts, len(x)), noise.phi))


def noise_of_smoothed_bins(unit: Float[np.ndarray, "R R"], sd: Rows, starts: Starts) -> Covariance:
    """Of bins of smoothed rows. unit: covariance of these rows for raw noise of sd 1. sd: [R] of the raw noise."""
    rows = sd[:, None] * sd * unit
    counts = np.diff(starts, append=len(sd))
    sums = np.add.reduceat(np.add.reduceat(rows, starts, axis=0), starts, axis=1)
    return np.asarray(sums / (counts[:, None] * counts))


def published_windows(row: Int[np.ndarray, " R"]) -> Windows:
    """The raw rows [first, end) that the published moving average puts into each of some rows."""
    return np.column_stack([window_start(row), row + 1])


def noises_of_published_grid(step: Rows, y: Rows, starts: Starts) -> tuple[Covariance, ...]:
    """What the noise of a log on the published grid may be: that of raw rows, or of rows smoothed as published.

    The second is possible only where neighbouring rows are correlated. One raw row for each step is assumed.
    """
    x = np.log(step)
    as_raw = row_noise(x, y)
    raw = noise_of_bins(x, as_raw, starts)
    if as_raw.phi < SMOOTHED:
        return (raw,)
    unit = window_correlation(published_windows(step.astype(np.int64)))
    own, e = np.diag(unit), straightened(x, y)[0]
    expected = own[LAG:] + own[:-LAG] - 2 * np.diag(unit, LAG)
    near = (x[LAG:] - x[:-LAG] <= 2 * CLOSE) & (expected > 0)
    if near.sum() < FEWEST_PAIRS:
        return (raw,)
    at, differences = x[LAG:][near], (e[LAG:] - e[:-LAG])[near]
    centre = float(at.mean())
    log_sd, growth = log_linear_sd(at - centre, differences**2 / expected[near])
    return raw, noise_of_smoothed_bins(unit, np.exp(log_sd + growth * (x - centre)), starts)
