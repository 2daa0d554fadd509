"""Intervals of L_d, t_d and r_d from the errors of a fit, or the reason why there are none."""

import numpy as np
from jaxtyping import Float

from zerosum.deceleration.fit_errors import FitErrors
from zerosum.deceleration.varpro import Solutions
from zerosum.estimate import Interval

NAMES = ("L_d", "t_d", "r_d")
OF_PARAMETERS = np.eye(5)[[0, 3, 2]]  # log L_d, log t_d, r_d of the parameters of `fit_errors.one_break_design`
NOT_FINITE = "the interval has no finite end"


def intervals(
    centres: Float[np.ndarray, "3"], errors: FitErrors | None, best: Solutions, level: float
) -> tuple[dict[str, Interval | None], dict[str, str]]:
    """Intervals of L_d, t_d and r_d, and for each that is None the reason.

    centres: log L_d, log t_d and r_d of the fit. best: its least squares, one row. Where the break may lie outside the
    fitted range the errors are not linear any more, and all are None.
    """
    if errors is None or not np.isfinite(best.rss[0]):
        return none_because("too few points to fit")
    if best.t_at_edge[0]:
        return none_because("the fit itself puts the break at the edge of the fitted range")
    halves = errors.spread(OF_PARAMETERS).half_widths(level)
    ends = np.column_stack([centres - halves, centres + halves])
    if ends[1, 0] < errors.x[0] or ends[1, 1] > errors.x[-1]:
        side = "first" if ends[1, 0] < errors.x[0] else "last"
        return none_because(f"the interval of t_d reaches beyond the {side} point: the break may be at the edge")
    with np.errstate(over="ignore"):
        ends[:2] = np.exp(ends[:2])
    if not np.isfinite(ends).all():
        return none_because(NOT_FINITE)
    return {name: (float(low), float(high)) for name, (low, high) in zip(NAMES, ends, strict=True)}, {}


def none_because(why: str) -> tuple[dict[str, Interval | None], dict[str, str]]:
    """No interval of any of the three."""
    return dict.fromkeys(NAMES), dict.fromkeys(NAMES, why)
