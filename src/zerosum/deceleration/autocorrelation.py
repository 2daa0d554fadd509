"""How far the residuals of a fit depend on their neighbours, and what that does to the error of a slope."""

import numpy as np
from jaxtyping import Float, Int

from zerosum.deceleration.binning import bin_means, bin_starts

LAGS = 4  # log bins: a tenth of a decade
POWER, MOST = 0.75, 2.0  # see `widening`


def sign_autocorrelation(residual: Float[np.ndarray, " n"], lags: int = LAGS) -> float:
    """Mean over the first lags of mean(sign e_i sign e_(i+lag)), in [-1, 1]. 0 where there are too few points.

    residual: [n] in the order of steps, evenly spaced in log step. Signs, because the noise of a log bin grows
    towards early steps, where bins hold few rows: products would speak of these alone.

    >>> sign_autocorrelation(np.array([1.0, 2.0, 9.0, 1.0, -1.0, -5.0, -1.0, -2.0]), lags=2)
    0.5238095238095238
    """
    signs = np.sign(residual)
    if len(signs) <= lags:
        return 0.0
    return float(np.mean([np.mean(signs[lag:] * signs[:-lag]) for lag in range(1, lags + 1)]))


def widening(residual: Float[np.ndarray, " n"], log_bin: Int[np.ndarray, " n"]) -> float:
    """Factor from 1 to 2 for the standard error of a slope: ((1 + rho) / (1 - rho))^0.75.

    residual, log_bin: [n] of the fitted points, in the order of their steps; points of one bin count as their mean.
    The standard error of a mean of AR(1) values is sqrt((1 + rho) / (1 - rho)) times that of independent ones, a power
    of 1/2 here; signs of residuals understate rho.
    """
    if len(residual) == 0:
        return 1.0
    order = np.cumsum(np.diff(log_bin, prepend=log_bin[0]) != 0)
    rho = sign_autocorrelation(bin_means(residual, bin_starts(order)))
    rho = min(max(rho, 0.0), 0.9)
    return float(min(((1 + rho) / (1 - rho)) ** POWER, MOST))
