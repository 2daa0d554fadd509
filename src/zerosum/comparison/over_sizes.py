"""Whether a difference, or a best learning rate, changes with the size of the model: slopes over sizes."""

import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

from zerosum.comparison.paired import ALPHA, METHOD, half_width
from zerosum.estimate import Estimate

ROUNDING = 1e-9


def gain_slope(differences: Mapping[float, Mapping[int, float]], unit: str) -> Estimate:
    """Slope of a paired difference over the natural log of size, with Student's t interval over seeds.

    differences: size -> difference by seed. Each seed that is there at every size gives the slope of a straight line
    through its own differences; runs of one seed may thus have something in common.
    """
    sizes = sorted(differences)
    seeds = [seed for seed in differences[sizes[0]] if all(seed in differences[N] for N in sizes)] if sizes else []
    if len(sizes) < 2:
        return Estimate(math.nan, reason="one size", N=len(seeds), of="seeds", unit=unit)
    x = np.log(sizes)
    slopes = [_slope(x, np.array([differences[N][seed] for N in sizes])) for seed in seeds]
    n, mean = len(slopes), float(np.mean(slopes)) if slopes else math.nan
    if n < 2:
        return Estimate(
            mean, reason=f"{n} seeds are there at every size; an interval needs 2", N=n, of="seeds", unit=unit
        )
    half = half_width(float(np.std(slopes, ddof=1)), n, 1 - ALPHA)
    return Estimate(mean, (mean - half, mean + half), N=n, of="seeds", unit=unit, method=METHOD)


def rate_slope(best: Mapping[float, float]) -> Estimate:
    """Slope of the log of the best rate over the log of width; 0: the best rate transfers from small to large models.

    best: width -> best rate. Student's t interval of the residuals, k - 2 degrees of freedom for k widths, so that
    three widths, which have one degree of freedom, say little.
    """
    k = len(best)
    if k < 2:
        return Estimate(math.nan, reason="one width", N=k, of="widths")
    x, y = np.log(sorted(best)), np.log([best[width] for width in sorted(best)])
    slope = _slope(x, y)
    if k < 3:
        return Estimate(slope, reason="two widths; an interval needs 3", N=k, of="widths")
    away = x - x.mean()
    residual = y - y.mean() - slope * away
    error = math.sqrt(float(residual @ residual) / (k - 2) / float(away @ away))
    if error < ROUNDING:
        return Estimate(slope, reason="the best rates lie on a line exactly, as points of a grid do", N=k, of="widths")
    half = error * float(stdtrit(k - 2, 1 - ALPHA / 2))
    return Estimate(slope, (slope - half, slope + half), N=k, of="widths", method="Student's t of the residuals")


def _slope(x: Float[np.ndarray, " k"], y: Float[np.ndarray, " k"]) -> float:
    away = x - x.mean()
    return float(away @ y / (away @ away))
