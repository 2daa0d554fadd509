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
    """The line through k >= 3 points. x: log N less its centre. V: covariance of the errors of y."""
    X = np.stack([np.ones_like(x), x], axis=1)
    residual = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
    scatter = float(np.sqrt(residual @ residual / (len(x) - 2)))
    return min((_line(X, y, V, tau) for tau in (scatter * TAUS).tolist()), key=lambda one: one[0])[1]


def _line(X: Float[np.ndarray, "k 2"], y: Sizes, V: Float[np.ndarray, "k k"], tau: float) -> tuple[float, WeightedLine]:
    """-2 x restricted log likelihood of tau, up to a constant, and the line."""
    least = ROUNDING * max(float(np.trace(V)) / len(V), ROUNDING)
    root = np.linalg.cholesky(V + (tau**2 + least) * np.eye(len(V)))
    white = np.linalg.solve(root, np.column_stack([X, y]))
    basis, upper = np.linalg.qr(white[:, :2])
    of_white = np.linalg.solve(upper, basis.T)
    both = of_white @ white[:, 2]
    left = white[:, 2] - white[:, :2] @ both
    q = float(left @ left) / (len(y) - 2)
    unlikely = 2 * float(np.log(np.diag(root)).sum() + np.log(np.abs(np.diag(upper))).sum()) + float(left @ left)
    widened = left * np.sqrt((TO_ONE + (1 - TO_ONE) * q) / q) if 0 < q < 1 else left
    return unlikely, WeightedLine(float(both[0]), float(both[1]), tau, q, widened, of_white)
