"""Single points that move an exponent: refits without each of them, and without the five that move it most."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from zerosum.scaling.search import Minimum

TOGETHER = 5  # points left out at once
MOST = 200  # points, of larger tables, that are left out one by one: those with the largest influence to first order


@dataclass(frozen=True)
class Influence:
    """What leaving points out does to an exponent.

    row: of the table, from 0. shift: of the exponent, in standard errors of the resampled tables. together: the five
    rows that move it most in one direction. shift_together: without all five.
    """

    parameter: str
    row: int
    shift: float
    together: tuple[int, ...]
    shift_together: float


def influence(best: Minimum, error: Float[np.ndarray, " p"]) -> tuple[Influence, ...]:
    """The most influential point of each exponent. error: [p] standard errors of theta."""
    n = len(best.objective.log_y[0])
    places = [best.law.names.index(name) for name in best.law.exponents]
    rows = np.arange(n) if n <= MOST else _largest(best, places)
    shifts = (_without(best, rows[:, None]) - best.theta) / np.maximum(error, 1e-300)
    found = []
    for name, j in zip(best.law.exponents, places, strict=True):
        order = shifts[:, j].argsort()
        sides = [rows[order[:TOGETHER]], rows[order[::-1][:TOGETHER]]]
        joint = (_without(best, np.array(sides))[:, j] - best.theta[j]) / max(float(error[j]), 1e-300)
        side = int(np.abs(joint).argmax())
        top = int(np.abs(shifts[:, j]).argmax())
        five = tuple(map(int, sides[side]))
        found.append(Influence(name, int(rows[top]), float(shifts[top, j]), five, float(joint[side])))
    return tuple(found)


def _without(best: Minimum, rows: np.ndarray) -> Float[np.ndarray, "M p"]:
    """theta without some rows each. rows: [M k]."""
    weight = np.ones((len(rows), len(best.objective.log_y[0])))
    np.put_along_axis(weight, rows, 0.0, axis=1)
    low, high = best.law.ends(best.objective.log_y[0])
    start = np.tile(best.theta, (len(rows), 1))
    return replace(best.objective, weight=weight).minimised(start, low, high)[0]


def _largest(best: Minimum, places: list[int]) -> np.ndarray:
    """The rows with the largest influence on the exponents to first order."""
    goal = best.objective
    _, J, _ = goal.terms.derivatives(best.theta[None])
    psi = np.clip(goal.residual(best.theta[None])[0], -goal.delta, goal.delta)
    first_order = np.abs((np.linalg.pinv(J[0].T @ J[0]) @ (J[0] * psi[:, None]).T)[places])
    return np.sort((first_order / first_order.max(axis=1, keepdims=True)).max(axis=0).argsort()[::-1][:MOST])
