"""The points a fit sees, and how to leave some of them out: cut-offs and stretches left out are rows of weights."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from zerosum.curves import LossCurve
from zerosum.curves.grid import already_thinned, on_grid
from zerosum.deceleration.bin_noise import (
    noise_of_bins,
    noise_of_smoothed_bins,
    noises_of_published_grid,
    published_windows,
)
from zerosum.deceleration.binning import bin_index, bin_means, bin_starts
from zerosum.deceleration.row_noise import row_noise, window_correlation
from zerosum.deceleration.smoothing import smooth_and_thin


@dataclass(frozen=True)
class Points:
    """n points in the order of their steps, made from the whole curve; which of them are fitted is decided later.

    x, y: [n] log step and log loss (nats). first_step: [n] the smallest raw step that went into each point.
    log_bin: [n] index of the log bin of each point. notes: what was special about making them.
    noises: covariances that the noise of the log bins may have, [b b] for the bins in the order of `log_bin`.
    """

    x: Float[np.ndarray, " n"]
    y: Float[np.ndarray, " n"]
    first_step: Float[np.ndarray, " n"]
    log_bin: Int[np.ndarray, " n"]
    notes: tuple[str, ...] = ()
    noises: tuple[Float[np.ndarray, "b b"], ...] = field(default=(), repr=False)

    def after(self, cutoff: float | int) -> Float[np.ndarray, " n"]:
        """Weights: 1 for each point made only of steps above the cut-off, else 0."""
        return np.where(self.first_step > cutoff, 1.0, 0.0)

    def blocks(self, weight: Float[np.ndarray, " n"], k: int) -> Int[np.ndarray, " n"]:
        """Number the weighted points 0 .. k-1 in contiguous blocks of (nearly) as many log bins; -1 outside."""
        used = weight > 0
        order = np.unique(self.log_bin[used], return_inverse=True)[1]
        block = np.full(len(self.x), -1)
        block[used] = order * k // (order.max() + 1) if used.any() else -1
        return block


def binned_points(curve: LossCurve) -> Points:
    """Mean log step and mean log loss of each log bin."""
    step, loss = curve.step[curve.step > 0], curve.loss[curve.step > 0]
    if len(step) == 0:
        return _no_points()
    x, y = np.log(step), np.log(loss)
    index = bin_index(x)
    starts = bin_starts(index)
    smoothed = already_thinned(curve.step)
    noises = noises_of_published_grid(step, y, starts) if smoothed else (noise_of_bins(x, row_noise(x, y), starts),)
    notes = _smoothed(curve, "")
    return Points(bin_means(x, starts), bin_means(y, starts), step[starts], index[starts], notes, noises)


def thinned_points(curve: LossCurve) -> Points:
    """The published smoothing and thinning."""
    step, loss = smooth_and_thin(curve)
    step, loss = step[step > 0], loss[step > 0]
    if len(step) == 0:
        return _no_points()
    x, y = np.log(step), np.log(loss)
    index = bin_index(x)
    noises = _noises_of_thinned(curve, step, y, bin_starts(index))
    return Points(x, y, step, index, _smoothed(curve, ", and is fitted as it is"), noises)


def _noises_of_thinned(
    curve: LossCurve, step: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], starts: Int[np.ndarray, " b"]
) -> tuple[Float[np.ndarray, "b b"], ...]:
    if already_thinned(curve.step):
        return noises_of_published_grid(step, y, starts)
    raw = curve.step > 0
    noise = row_noise(np.log(curve.step[raw]), np.log(curve.loss[raw]))
    rows = np.flatnonzero(on_grid(curve.step))
    unit = window_correlation(published_windows(rows))
    return (noise_of_smoothed_bins(unit, noise.long_run_sd(np.log(step)), starts),)


def _smoothed(curve: LossCurve, consequence: str) -> tuple[str, ...]:
    if not already_thinned(curve.step):
        return ()
    return (
        f"the log was already smoothed and thinned on the published grid{consequence}; "
        "a trailing mean makes t_d about 9 % later",
    )


def _no_points() -> Points:
    none = np.zeros(0)
    return Points(none, none, none, np.zeros(0, dtype=np.int64), noises=(np.zeros((0, 0)),))
