"""Whether a table determines a law's exponents and floor."""

import numpy as np

from zerosum.scaling.influence import Influence
from zerosum.scaling.noise import FEWEST_RUNS
from zerosum.scaling.profile import Profile
from zerosum.scaling.reason import Reason
from zerosum.scaling.search import Minimum
from zerosum.scaling.table import LossTable

FEWEST_SIZES = 5
WIDE = 4.0  # ratio of the ends of an exponent's interval above which the data do not say which power it is
ONE_POINT, FIVE_POINTS = 1.0, 2.0  # standard errors by which points may move an exponent before they are named
FEW_STARTS = 0.1  # share of the searches


def reasons_of(
    table: LossTable, best: Minimum, profiles: tuple[Profile, ...], influences: tuple[Influence, ...]
) -> tuple[Reason, ...]:
    """All that is to be known about a fit; any that is blocking makes it not identified."""
    return (
        *_data(table, best),
        *_profiles(best, profiles),
        *_second_minimum(best, profiles),
        *_points(table, influences),
    )


def _data(table: LossTable, best: Minimum) -> list[Reason]:
    reasons = []
    sizes, runs = len(table.sizes), len(set(table.run))
    if sizes < FEWEST_SIZES:
        text = f"{sizes} sizes: an exponent of N needs at least {FEWEST_SIZES}"
        reasons.append(Reason("few-sizes", "blocking", text))
    if runs < FEWEST_RUNS:
        text = (
            f"{runs} runs: fewer than {FEWEST_RUNS} cannot be resampled as runs, so that intervals are from residuals "
            "within runs and may be too narrow; the verdict rests on the profiles"
        )
        reasons.append(Reason("few-runs", "note", text))
    reached = len(best.at_minimum)
    if reached < FEW_STARTS * len(best.ends):
        text = f"{reached} of {len(best.ends)} searches ended within 1e-6 of the minimum: a lower one may exist"
        reasons.append(Reason("few-starts", "note", text))
    return reasons


def _profiles(best: Minimum, profiles: tuple[Profile, ...]) -> list[Reason]:
    reasons = []
    for one in profiles:
        low, high = one.interval
        if one.parameter == "log_E":
            if one.open_below:
                text = f"the data are compatible with E = 0 (upper end {np.exp(high):.3g} nats): E is not determined"
                reasons.append(Reason("E-at-zero", "blocking", text))
        elif one.open_below or one.open_above or high > WIDE * low:
            text = (
                f"flat valley: {one.parameter} from {max(low, 0.0):.3g} to {high:.3g} fits the data about as well; "
                "more sizes, and sizes trained at several D / N, would narrow it"
            )
            reasons.append(Reason("flat-valley", "blocking", text))
    return reasons


def _second_minimum(best: Minimum, profiles: tuple[Profile, ...]) -> list[Reason]:
    """Another end point that fits about equally well, outside the interval around the best."""
    for one in profiles:
        j = best.law.names.index(one.parameter)
        low, high = one.interval
        room = 0.05 * (high - low)
        as_good = best.values <= best.value + one.threshold
        other = best.ends[as_good & ((best.ends[:, j] < low - room) | (best.ends[:, j] > high + room))]
        if one.parameter in best.law.exponents and len(other):
            text = f"two minima: {one.parameter} = {other[0, j]:.3g} fits about as well as {best.theta[j]:.3g}"
            return [Reason("two-minima", "blocking", text)]
    return []


def _points(table: LossTable, influences: tuple[Influence, ...]) -> list[Reason]:
    reasons = []
    for one in influences:
        if abs(one.shift) > ONE_POINT or abs(one.shift_together) > FIVE_POINTS:
            five = ", ".join(f"row {k + 1} ({table.run[k]})" for k in one.together)
            text = (
                f"{one.parameter} moves by {one.shift:+.1f} standard errors without row {one.row + 1} "
                f"({table.run[one.row]}), and by {one.shift_together:+.1f} without {five}"
            )
            reasons.append(Reason("leverage", "note", text))
    return reasons
