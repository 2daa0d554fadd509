"""Noise of the rows of a log, read off the log itself, and the covariance it gives to the points of a fit.

Rows follow AR(1) noise from row to row, with a standard deviation whose log is linear in log step. Deviations that
change slowly in log step are misfit, not noise: see `residual_model`.
Letters: R rows, n points (each the mean of a window of rows).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

LAGS = 8  # rows
CLOSE = 0.05  # log steps: rows further from each other than this differ by misfit too
STRETCH = 0.5  # log steps over which a straight line describes a loss curve beside its noise
FEWEST_PAIRS = 30
PHIS = np.concatenate([np.arange(0.0, 0.9, 0.05), np.arange(0.9, 0.99, 0.01)])
MOST_GROWTH = 1.0  # of log sd for each log step
LEAST_SD = 1e-9  # of log loss: what is left of an exact curve is rounding
MOST_ROWS = 100_000  # at either end of a log; more of them would not make the noise more certain

Rows = Float[np.ndarray, " R"]


@dataclass(frozen=True)
class RowNoise:
    """AR(1) noise of log loss. sd at log step x: exp(log_sd + growth (x - centre)). phi: correlation of neighbours."""

    log_sd: float
    growth: float
    centre: float
    phi: float

    def sd(self, x: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Standard deviation of one row at each log step."""
        return np.asarray(np.exp(self.log_sd + self.growth * (x - self.centre)))

    def long_run_sd(self, x: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Standard deviation of white noise whose means over many rows vary as those of this noise."""
        return self.sd(x) * float(np.sqrt((1 + self.phi) / (1 - self.phi)))


def window_correlation(windows: Int[np.ndarray, "n 2"]) -> Float[np.ndarray, "n n"]:
    """Covariance of the means of windows [first, end) of rows of white noise of variance 1; windows may overlap."""
    first, end = windows.T
    shared = np.minimum(end[:, None], end) - np.maximum(first[:, None], first)
    return np.asarray(np.maximum(shared, 0) / ((end - first)[:, None] * (end - first)))


def bin_correlation(edges: Int[np.ndarray, " m"], phi: float) -> Float[np.ndarray, "n n"]:
    """Covariance of the means of n bins of rows of AR(1) noise of variance 1. edges: first row of each, and the end.

    The double sum of phi^|i - j| over two bins is a second difference of G(d) = |d|/2 (1 + phi)/(1 - phi) +
    phi^(|d| + 1)/(1 - phi)^2, because the second difference of G is phi^|d|.
    """
    size = np.diff(edges)
    if phi == 0:
        return np.diag(1 / size)
    d = np.abs(edges[:, None] - edges).astype(np.float64)
    G = d * ((1 + phi) / (1 - phi) / 2) + np.exp(np.log(phi) * (d + 1)) / (1 - phi) ** 2
    double_sum = G[1:, :-1] + G[:-1, 1:] - G[:-1, :-1] - G[1:, 1:]
    return np.asarray(double_sum / (size[:, None] * size))


def row_noise(x: Rows, y: Rows) -> RowNoise:
    """The noise of rows, from differences of rows at most 8 rows and 0.05 log steps from each other.

    x: log steps, not falling. y: log losses. Differences are freed of the slope of the curve around them.
    """
    if len(x) > 2 * MOST_ROWS:
        x, y = (np.concatenate([values[:MOST_ROWS], values[-MOST_ROWS:]]) for values in (x, y))
    e, stretch = straightened(x, y)
    at, half_squares = [], []
    for lag in range(1, min(LAGS, len(x) - 1) + 1):
        near = (x[lag:] - x[:-lag] <= CLOSE) & (stretch[lag:] == stretch[:-lag])
        if near.sum() < FEWEST_PAIRS:
            break
        at.append((x[lag:][near] + x[:-lag][near]) / 2)
        half_squares.append((e[lag:] - e[:-lag])[near] ** 2 / 2)
    if not at:
        return _noise_of_sparse_rows(y)
    centre = float(at[0].mean())
    _, growth = log_linear_sd(at[0] - centre, half_squares[0])
    variogram = [np.mean(v * np.exp(-2 * growth * (a - centre))) for a, v in zip(at, half_squares, strict=True)]
    phi, sd = _ar1(np.maximum(variogram, LEAST_SD**2))
    return RowNoise(float(np.log(max(sd, LEAST_SD))), growth, centre, phi)


def straightened(x: Rows, y: Rows) -> tuple[Rows, Int[np.ndarray, " R"]]:
    """Deviations from a least-squares line in each stretch of the curve, and the number of the stretch of each row."""
    stretch = ((x[-1] - x) / STRETCH).astype(np.int64)
    n = np.maximum(np.bincount(stretch), 1)
    away, e = (v - (np.bincount(stretch, v) / n)[stretch] for v in (x, y))
    power = np.bincount(stretch, away**2)
    slope = np.bincount(stretch, away * e) / np.where(power > 0, power, 1.0)
    return e - slope[stretch] * away, stretch


def _noise_of_sparse_rows(y: Rows) -> RowNoise:
    """White noise of one size, from second differences, where too few rows are close to each other."""
    sd = float(np.sqrt(np.mean(np.diff(y, 2) ** 2) / 6)) if len(y) > 2 else 0.0
    return RowNoise(float(np.log(max(sd, LEAST_SD))), 0.0, 0.0, 0.0)


def log_linear_sd(away: Rows, squares: Rows) -> tuple[float, float]:
    """Log sd s and its growth g by maximum likelihood, for squares of normal values of sd exp(s + g away)."""
    scale = max(float(squares.mean()), LEAST_SD**2)
    basis, found = np.stack([np.ones_like(away), away]), np.zeros(2)
    for _ in range(20):
        ratio = squares / scale * np.exp(-2 * (found @ basis))
        hessian = 2 * (basis * ratio) @ basis.T + 1e-9 * len(away) * np.eye(2)
        step = np.clip(np.linalg.solve(hessian, basis @ (1 - ratio)), -0.5, 0.5)
        found = np.clip(found - step, -10.0, [10.0, MOST_GROWTH])
        found[1] = max(found[1], -MOST_GROWTH)
        if np.abs(step).max() < 1e-6:
            break
    return float(found[0] + np.log(scale) / 2), float(found[1])


def _ar1(variogram: Float[np.ndarray, " lags"]) -> tuple[float, float]:
    """phi and sd of AR(1) noise whose variogram is sd^2 (1 - phi^lag): least squares of logs over a grid of phi."""
    if len(variogram) == 1:
        return 0.0, float(np.sqrt(variogram[0]))
    log_variance = np.log(variogram) - np.log1p(-(PHIS[:, None] ** np.arange(1, len(variogram) + 1)))
    best = int(log_variance.var(axis=1).argmin())
    return float(PHIS[best]), float(np.exp(log_variance[best].mean() / 2))
