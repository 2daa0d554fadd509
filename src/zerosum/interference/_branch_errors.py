"""Errors of statistics of branches that more units do not average out.

Noise of the order lies in directions of the weights that all tokens share. B branches show it in B - 1 contrasts, and R
directions of equal size make its variance one of (B - 1) R degrees of freedom.

Letters: B branches, N tokens, R directions.
"""

import math

import numpy as np
from jaxtyping import Float

from zerosum.interference._branch_statistics import STATISTICS, columns
from zerosum.interference._branch_sums import BranchSums

_MOST_DEGREES = 1e6  # of freedom: above, the size of the noise is known to 0.3 %


def noise_directions(x: Float[np.ndarray, "B N"]) -> float:
    """Effective number of directions of the noise, `(tr S)^2 / tr S^2` with S its covariance over tokens; at least 1.

    From the matrix G of products of the deviations of branches from their mean, whose expectation with normal noise is
    known for R directions: `(tr G)^2 / tr G^2 = (n R + 2) / (n + 1 + R)`, n = B - 1. NaN for two branches, which have
    one contrast; infinite without noise, or where the contrasts are as different as those of noise in any number.
    """
    n = len(x) - 1
    if n < 2:
        return math.nan
    deviations = x - x.mean(0)
    products = deviations @ deviations.T
    square = float((products**2).sum())
    participation = float(np.trace(products)) ** 2 / square if square > 0 else float(n)
    return max(((n + 1) * participation - 2) / (n - participation), 1.0) if participation < n else math.inf


def errors_over_branches(x: Float[np.ndarray, "B N"], level: float) -> dict[str, tuple[float, float]]:
    """How far the limits of each statistic lie below and above its value, for three or more branches.

    Two errors, in quadrature. One: the jackknife error times Student's t, B - 1 degrees. The jackknife leaves out each
    branch in turn; on average it does not underestimate the variance (Efron and Stein 1981). The other: the error of
    the size of the noise. It is the change of the statistic where the deviations of branches from their mean are
    multiplied by the limits of the size (chi-squared). The jackknife alone is too narrow where the branches happen to
    deviate little, and do not show what noise of its true size does. Infinite where a statistic is undefined without a
    branch.
    """
    from scipy.special import stdtrit  # quantiles of Student's t; scipy takes a while to load

    n_branches, mean = len(x), x.mean(0)
    resized = _values([mean + size * (x - mean) for size in (1.0, *_sizes(x, level))])
    left_out = _values([np.delete(x, branch, 0) for branch in range(n_branches)])
    factor = float(stdtrit(n_branches - 1, (1.0 + level) / 2.0)) * math.sqrt(n_branches - 1)
    errors = {}
    with np.errstate(invalid="ignore"):  # undefined without a branch
        for name, values in resized.items():
            changes, spread = values - values[0], factor * float(left_out[name].std())
            below, above = math.hypot(spread, changes.min()), math.hypot(spread, changes.max())
            errors[name] = (below, above) if math.isfinite(below + above) else (math.inf, math.inf)
    return errors


def _sizes(x: Float[np.ndarray, "B N"], level: float) -> tuple[float, float]:
    """Limits of the standard deviation of the noise, as multiples of what these branches show."""
    from scipy.special import chdtri  # quantiles of chi-squared

    degrees = min((len(x) - 1) * noise_directions(x), _MOST_DEGREES)
    low, high = (math.sqrt(degrees / float(chdtri(degrees, (1.0 + sign * level) / 2.0))) for sign in (-1, 1))
    return low, high


def _values(sets_of_branches: list[Float[np.ndarray, "B N"]]) -> dict[str, Float[np.ndarray, " S"]]:
    """Each statistic of each set of branches."""
    sums = [BranchSums.of(x, np.zeros(x.shape[1]), every_k=False) for x in sets_of_branches]
    totals = np.vstack([columns(one) for one in sums])
    with np.errstate(divide="ignore", invalid="ignore"):
        return {name: statistic(totals)[0] for name, statistic in STATISTICS.items()}
