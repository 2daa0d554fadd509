"""Log loss at a later step by a power law and by a power law with floor, and what an error of it depends on.

Letters: n points, q parameters.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from zerosum.deceleration.floors import fit_power_law, shifted_power_law, shifted_power_law_design
from zerosum.deceleration.models import FEWEST

DECADE = float(np.log(10))


class Extrapolation(NamedTuple):
    """log_loss: at the later step. used: [n] points fitted. residual: of these. design: derivatives of their law by its
    parameters; ahead: [q] those of the log loss at the later step.
    """

    log_loss: float
    used: Bool[np.ndarray, " n"]
    residual: Float[np.ndarray, " k"]
    design: Float[np.ndarray, "k q"]
    ahead: Float[np.ndarray, " q"]


def power_law(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], at: float) -> Extrapolation:
    """By a straight line through log losses y at log steps x, at log step `at`."""
    line = np.polyfit(x, y, 1)
    design = np.column_stack([x, np.ones_like(x)])
    return Extrapolation(
        float(np.polyval(line, at)), np.ones(len(x), dtype=bool), y - design @ line, design, np.array([at, 1.0])
    )


def floor_of_last_decade(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], at: float) -> Extrapolation | None:
    """By L = E + A t^-alpha fitted to the last factor of ten in steps. None where that has fewer than 12 points."""
    late = x >= x[-1] - DECADE if len(x) else np.zeros(0, dtype=bool)
    if len(np.unique(x[late])) < FEWEST:
        return None
    theta = fit_power_law(x[late], y[late], np.ones((1, int(late.sum()))))[0]
    ahead = np.array([at])
    residual = y[late] - shifted_power_law(theta, x[late])
    return Extrapolation(
        float(shifted_power_law(theta, ahead)[0]),
        late,
        residual,
        shifted_power_law_design(theta, x[late]),
        shifted_power_law_design(theta, ahead)[0],
    )
