"""Two measurements of the same tokens compared, with intervals over the units that both share."""

import math

import numpy as np
from jaxtyping import Float

from zerosum.estimate import Estimate
from zerosum.interference._bootstrap import DRAWS, UNDEFINED, Linearised, Statistic, bootstrap_t, ratio
from zerosum.interference._interval import no_interval_reason
from zerosum.interference._sums import InterferenceSums

_NET, _MASS, _OTHER_NET, _OTHER_MASS = range(4)


def paired_change_in_D(
    before: InterferenceSums, after: InterferenceSums, level: float = 0.95, seed: int = 0
) -> Estimate:
    """D of `after` minus D of `before`, two kinds of changes of the same tokens and units; NaN where one has none.

    = |R_before| - |R_after|. No interval where an R may be zero: D bends there.
    """

    def difference(totals: Float[np.ndarray, "B K"]) -> Linearised:
        value, slope = np.zeros(len(totals)), np.zeros_like(totals)
        for sign, net, mass in ((1.0, _NET, _MASS), (-1.0, _OTHER_NET, _OTHER_MASS)):
            R = totals[:, net] / totals[:, mass]
            value += sign * np.abs(R)
            slope[:, net] = sign * np.sign(R) / totals[:, mass]
            slope[:, mass] = -sign * np.abs(R) / totals[:, mass]
        return value, slope, np.ones(len(totals))

    return _compared(before, after, after.D - before.D, difference, level, seed, bends_at_zero=True)


def paired_M_ratio(before: InterferenceSums, after: InterferenceSums, level: float = 0.95, seed: int = 0) -> Estimate:
    """M of `after` over M of `before`, of the same tokens and units; NaN where one has none."""
    value = after.M / before.M if before.M else math.nan
    return _compared(before, after, value, ratio(_OTHER_MASS, _MASS), level, seed, bends_at_zero=False)


def _compared(
    before: InterferenceSums,
    after: InterferenceSums,
    value: float,
    statistic: Statistic,
    level: float,
    seed: int,
    bends_at_zero: bool,
) -> Estimate:
    reason = no_interval_reason(before) or no_interval_reason(after)
    if reason is None and bends_at_zero:
        columns = [np.stack([sums.net, sums.mass], axis=1) for sums in (before, after)]
        ends = [bootstrap_t(column, [ratio(0, 1)], level, DRAWS, seed)[0] for column in columns]
        if any(low <= 0 <= high for low, high in ends):
            reason = "a net ratio R may be zero, where D = 1 - |R| bends"
    if reason is not None or not math.isfinite(value):
        return Estimate(value, None, reason or "no change to compare with", before.N, "tokens", level=level)
    together = np.stack([before.net, before.mass, after.net, after.mass], axis=1)
    (interval,) = bootstrap_t(together, [statistic], level, DRAWS, seed)
    if not math.isfinite(interval[1]):
        return Estimate(value, None, UNDEFINED, before.N, "tokens", level=level)
    method = f"paired bootstrap-t over {len(before.unit)} units, {DRAWS:,} draws, seed {seed}"
    return Estimate(value, interval, "", before.N, "tokens", level=level, method=method)
