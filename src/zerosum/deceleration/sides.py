"""Is the rate on each side of a break measured? It needs enough points, and must not hang on the first of them."""

import numpy as np
from jaxtyping import Float

from zerosum.deceleration.bnsl import BNSL
from zerosum.deceleration.local_slopes import SURE, rate_of

FEWEST = 6  # fitted points on each side of the break
SHARE = 1 / 3  # of the change of rate at the break, which must be left without the first fitted point


def not_measured(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], law: BNSL) -> str:
    """Why the rate before or after the break is not measured, without a full stop; empty if both are.

    x: [n] log steps of the fitted points, not falling. y: [n] log losses.
    """
    before = int(np.searchsorted(x, np.log(law.t_d)))
    for side, count in (("before", before), ("after", len(x) - before)):
        if count < FEWEST:
            points = f"{count} fitted point{'s' if count != 1 else ''}"
            return f"too few points {side} the break: {points} at step {law.t_d:.0f}, and {FEWEST} are needed"
    rate, error = rate_of(x[1:before], y[1:before])
    _, error_after = rate_of(x[before:], y[before:])
    change = (rate - law.r_d) * -np.sign(law.c1)
    if change > max(SHARE * abs(law.c1), SURE * np.hypot(error, error_after)):
        return ""
    return (
        f"too few points before the break: without the first of {before} the rate before step {law.t_d:.0f} is "
        f"{rate:.2g} with a standard error of {error:.2g}, and {law.r_d:.2g} after it"
    )
