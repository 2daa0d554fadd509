"""Confidence intervals over resampling units, from their sums alone.

R, M and delta_L are ratios of sums over units, so one bootstrap serves all. D is folded from R: bootstrapping D itself
covers nothing where D is 1.
"""

import numpy as np

from zerosum.interference._bootstrap import DRAWS, FEWEST_UNITS, bootstrap_t, ratio
from zerosum.interference._record import Interval
from zerosum.interference._sums import InterferenceSums


def no_interval_reason(sums: InterferenceSums) -> str | None:
    """Why these sums carry no interval, or None where they do."""
    if len(sums.unit) < FEWEST_UNITS:
        return too_few_units(len(sums.unit))
    if sums.mass.sum() == 0:
        return "every change is zero"
    return None


def too_few_units(n_units: int) -> str:
    """The reason for a missing interval where there are too few units."""
    return f"{n_units} units; an interval needs at least {FEWEST_UNITS} sequences or documents"


def fold(low: float, high: float) -> tuple[float, float]:
    """Interval of D = 1 - |R| from an interval of R; its upper end is 1 where R may be zero.

    >>> fold(-0.75, -0.5), fold(-0.25, 0.5)
    ((0.25, 0.5), (0.5, 1.0))
    """
    far, near = max(abs(low), abs(high)), min(abs(low), abs(high))
    return 1.0 - far, 1.0 if low <= 0.0 <= high else 1.0 - near


def interval(sums: InterferenceSums, level: float = 0.95, draws: int = DRAWS, seed: int = 0) -> Interval | None:
    """Intervals of R, D, M, delta_L and the harmful share; None where `no_interval_reason` gives a reason.

    level: nominal coverage. draws: bootstrap samples. seed: of the draws; the same sums and seed give the same numbers.
    """
    if no_interval_reason(sums) is not None:
        return None
    columns = np.stack([sums.net, sums.mass, sums.count.astype(np.float64)], axis=1)
    statistics = [ratio(0, 1), ratio(1, 2), ratio(0, 2)]
    (r_low, r_high), m, change = bootstrap_t(columns, statistics, level, draws, seed)
    r = (max(r_low, -1.0), min(r_high, 1.0))
    return Interval(
        R=r,
        D=fold(*r),
        M=(max(m[0], 0.0), m[1]),
        delta_L=change,
        harmful_share=((1.0 + r[0]) / 2.0, (1.0 + r[1]) / 2.0),
        level=level,
        n_units=len(sums.unit),
        method=f"bootstrap-t over units, {draws:,} draws, seed {seed}",
    )
