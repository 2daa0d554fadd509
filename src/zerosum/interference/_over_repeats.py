"""The mean of a number over repetitions (seeds, batches), with Student's t-interval."""

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from zerosum.estimate import Estimate

LEVEL = 0.95


def over_repeats(values: Sequence[float], of: str, unit: str = "") -> Estimate:
    """Mean of one number per repetition with Student's t-interval; values that are NaN are left out.

    of: what was repeated, in the plural. unit: of the values. Fewer than two finite values give no interval, with the
    reason.

    >>> mean = over_repeats([0.4, 0.5, 0.6], "seeds")
    >>> round(mean.value, 3), [round(end, 3) for end in mean.interval], mean.N
    (0.5, [0.252, 0.748], 3)
    """
    from scipy.special import stdtrit  # quantiles of Student's t; scipy takes a while to load

    finite = [value for value in values if math.isfinite(value)]
    n = len(finite)
    if n < 2:
        value = finite[0] if finite else math.nan
        reason = f"{n} of {len(values)} {of} give it; an interval needs 2"
        return Estimate(value, reason=reason, N=n, of=of, unit=unit, level=LEVEL)
    mean = fmean(finite)
    half = float(stdtrit(n - 1, (1 + LEVEL) / 2)) * stdev(finite) / math.sqrt(n)
    method = f"Student's t over {n} {of}"
    return Estimate(mean, (mean - half, mean + half), N=n, of=of, unit=unit, level=LEVEL, method=method)
