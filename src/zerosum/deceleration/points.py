"""The points a fit sees, and how to leave some of them out: the cut-off and the jackknife are rows of weights."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from zerosum.curves import LossCurve
from zerosum.curves.grid import already_thinned
from zerosum.deceleration.binning import bin_index, bin_means, bin_starts
from zerosum.deceleration.smoothing import smooth_and_thin


@dataclass(frozen=True)
class Points:
    """n points in the order of their steps, made from the whole curve; which of them are fitted is decided later.

    x, y: [n] log step and log loss (nats). first_step: [n] the smallest raw step that went into each point.
    log_bin: [n] index of the log bin of each point. notes: what was special about making them.
    """

    x: Float[np.ndarray, " n"]
    y: Float[np.ndarray, " n"]
    first_step: Float[np.ndarray, " n"]
    log_bin: Int[np.ndarray, " n"]
    notes: tuple[str, ...] = ()

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
    """Mean log step and mean log loss of each log bin; every bin counts as one point."""
    step, loss = curve.step[curve.step > 0], curve.loss[curve.step > 0]
    if len(step) == 0:
        return _no_points()
    x, y = np.log(step), np.log(loss)
    index = bin_index(x)
    starts = bin_starts(index)
    return Points(bin_means(x, starts), bin_means(y, starts), step[starts], index[starts], _smoothed(curve, ""))


def thinned_points(curve: LossCurve) -> Points:
    """The published smoothing and thinning."""
    step, loss = smooth_and_thin(curve)
    step, loss = step[step > 0], loss[step > 0]
    if len(step) == 0:
        return _no_points()
    x = np.log(step)
    return Points(x, np.log(loss), step, bin_index(x), _smoothed(curve, ", and is fitted as it is"))


def _smoothed(curve: LossCurve, consequence: str) -> tuple[str, ...]:
    if not already_thinned(curve.step):
        return ()
    return (
        f"the log was already smoothed and thinned on the published grid{consequence}; "
        "a trailing mean makes t_d about 9 % later",
    )


def _no_points() -> Points:
    none = np.zeros(0)
    return Points(none, none, none, np.zeros(0, dtype=np.int64))
