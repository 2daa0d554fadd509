"""A straight line in log N through numbers of several sizes whose errors are correlated. Pure arrays.

Generalised least squares with the covariance V of the errors, plus variance tau^2 of the sizes around the line (REML).
Standard errors are scaled by q, the mean weighted square of the residuals, with Student's t of k - 2 degrees of freedom
(Knapp and Hartung 2003). Where q is below 1, the scale is q moved a quarter of the way to 1: q is known from few sizes,
V from many steps (tests/long/check_scaling_deceleration.py has the coverage).
Letters: k sizes.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

TAUS = np.concatenate([[0.0], np.geomspace(0.03, 3.0, 40)])  # times the scatter around the unweighted line
TO_ONE = 0.25  # how far a q below 1 is moved to 1
ROUNDING = 1e-12

Sizes = Float[np.ndarray, " k"]


@dataclass(frozen=True)
class WeightedLine:
    """y = at_centre + slope (log N - centre). tau: standard deviation of the sizes around it beyond their errors.

    q: mean weighted square of the residuals, 1 where V and tau say how far the sizes lie from the line. white: [k]
    residuals whitened by V and tau, enlarged where q is below 1. of_white: [2 k] from whitened errors to errors of the
    two coefficients.
    """

    at_centre: float
    slope: float
    tau: float
    q: float
    white: Sizes
    of_white: Float[np.ndarray, "2 k"]

    @property
    def df(self) -> int:
        """Degrees of freedom: k - 2."""
        return len(self.white) - 2

    def covariance(self, other: "WeightedLine") -> Float[np.ndarray, "2 2"]:
        """Of both coefficients with those of another number of the same sizes.

        The residuals say how the numbers deviate together. With one V and tau for all numbers this is the covariance of
        multivariate regression.
        """
        shared = float(self.white @ other.white) / self.df
        return np.asarray(shared * self.of_white @ other.of_white.T)

    def half_widths(self, level: float) -> tuple[float, float]:
        """Half the interval of `at_centre` and of `slope`."""
        at_centre, slope = student(level, self.df) * np.sqrt(np.diag(self.covariance(self)))
        return float(at_centre), float(slope)


def student(level: float, df: int) -> float:
    """Quantile of Student's t for an interval of this level."""
    return float(stdtrit(df, (1 + level) / 2))


def weighted_line(x: Sizes, y: Sizes, V: Float[np.ndarray, "k k"]) -> WeightedLine:
    """The line through k >= 3 points. x: log N less its centre. V: covariance of the errors of y.

    All tau of a grid are tried side by side, and the one of the largest restricted likelihood is taken.
    """
    k, columns = len(x), np.stack([np.ones_like(x), x, y], axis=1)
    residual = y - columns[:, :2] @ np.linalg.lstsq(columns[:, :2], y, rcond=None)[0]
    tau = float(np.sqrt(residual @ residual / (k - 2))) * TAUS
    least = ROUNDING * max(float(np.trace(V)) / k, ROUNDING)
    root = np.linalg.cholesky(V + (tau**2 + least)[:, None, None] * np.eye(k))
    white = np.linalg.solve(root, np.broadcast_to(columns, (len(tau), k, 3)))
    basis, upper = np.linalg.qr(white[..., :2])
    of_white = np.linalg.solve(upper, np.swapaxes(basis, 1, 2))
    both = (of_white @ white[..., 2, None])[..., 0]
    left = white[..., 2] - (white[..., :2] @ both[..., None])[..., 0]
    squares = (left**2).sum(axis=1)
    unlikely = 2 * (_log_diagonal(root) + _log_diagonal(upper)) + squares
    best = int(unlikely.argmin())
    q = float(squares[best]) / (k - 2)
    widened = left[best] * np.sqrt((TO_ONE + (1 - TO_ONE) * q) / q) if 0 < q < 1 else left[best]
    at_centre, slope = both[best].tolist()
    return WeightedLine(at_centre, slope, float(tau[best]), q, widened, of_white[best])


def _log_diagonal(triangular: Float[np.ndarray, "T m m"]) -> Float[np.ndarray, " T"]:
    """Log of the absolute determinant of triangular matrices."""
    return np.asarray(np.log(np.abs(np.diagonal(triangular, axis1=1, axis2=2))).sum(axis=1))
