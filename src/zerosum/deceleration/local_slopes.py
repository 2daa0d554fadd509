"""Log-log slopes of stretches of a curve: its bends without any law.

Letters: n points, k stretches.
"""

import numpy as np
from jaxtyping import Float

STRETCHES = 8  # of equal length in log step
FEWEST = 4  # points in a stretch
SURE = 4.0  # standard errors
DECADE = float(np.log(10))


def stretch_rates(
    x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], stretches: int = STRETCHES
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """Least-squares rate (minus the slope) of each stretch that has enough points, and its standard error.

    x: [n] log steps, not falling. y: [n] log losses. The noise is read off second differences, so that a bend inside
    a stretch is not taken for noise.
    """
    which = np.minimum(((x - x[0]) / max(x[-1] - x[0], 1e-12) * stretches).astype(np.int64), stretches - 1)
    parts = [np.flatnonzero(which == k) for k in range(stretches)]
    rates = [rate_of(x[part], y[part]) for part in parts if len(part) >= FEWEST and np.ptp(x[part]) > 0]
    return np.array([rate for rate, _ in rates]), np.array([error for _, error in rates])


def rate_of(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> tuple[float, float]:
    """Least-squares rate of some points, and its standard error."""
    away = x - x.mean()
    power = float((away**2).sum())
    noise = float(np.sqrt(np.mean(np.diff(y, 2) ** 2) / 6)) if len(y) > 2 else float("inf")
    return -float(away @ y) / power, noise / power**0.5


def largest_turn(
    x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], *, widen: float = 1.0, stretches: int = STRETCHES
) -> float:
    """By how much the rate drops from one stretch to a later one, at most; 0 where that is not sure.

    widen: factor of the standard errors for noise that depends on its neighbours.
    """
    rate, error = stretch_rates(x, y, stretches)
    drop = rate[:, None] - rate
    sure = np.triu(drop > SURE * widen * np.hypot(error[:, None], error), 1)
    return float(np.where(sure, drop, 0.0).max(initial=0.0))


def last_decade_rate(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> tuple[float, float]:
    """Rate over the last factor of ten in steps, and its standard error; NaN where there are fewer than 4 points."""
    late = x >= x[-1] - DECADE if len(x) else np.zeros(0, dtype=bool)
    return rate_of(x[late], y[late]) if late.sum() >= FEWEST else (float("nan"), float("nan"))
