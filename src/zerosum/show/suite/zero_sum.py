"""What the tokens of one run did, in sentences: how much of their movement cancelled, and whether chance would do."""

import math

from zerosum.interference import Interference
from zerosum.show import numbers as n
from zerosum.show.suite.summary import DoubleStep, RunSummary


def zero_sum(run: RunSummary) -> str:
    """The tokens of one run: D over the first and the last doubling, and what it means."""
    if not run.double:
        return "Loss changes between checkpoints were not measured."
    first, last = ends_of(run)
    if first is last:
        return (
            f"Over the only doubling, steps {_pair(last)}, D was {_d(last.interference)}. {_moved(last.interference)}"
        )
    change = apart(first.interference, last.interference)
    verb = {"rose": "it rose to", "fell": "it fell to"}.get(change, "it was")
    doubt = "" if change in ("rose", "fell") else f" But {change}."
    return (
        f"Over the first doubling, steps {_pair(first)}, D was {_d(first.interference)}. Over the last, steps "
        f"{_pair(last)}, {verb} {_d(last.interference, said=first.interference.N)}.{doubt} {_moved(last.interference)}"
    )


def _pair(pair: DoubleStep) -> str:
    return f"{n.count(pair.from_step)} to {n.count(pair.to_step)}"


def _d(found: Interference, said: int | None = None) -> str:
    """D with its interval, N unless it was just said, and what D means for tokens that got worse."""
    ends, share = (found.interval.D, found.interval.harmful_share) if found.interval else (None, None)
    about = [] if said == found.N else [f"N\xa0=\xa0{n.count(found.N)} held-out tokens"]
    about += [] if found.interval else [f"no interval: {found.interval_reason}"]
    measured = n.text(found.D, ends, n.D) + (f" ({'; '.join(about)})" if about else "")
    if not math.isfinite(found.harmful_share):
        return f"{measured}: no loss changed at all"
    half = "D/2" if found.delta_L <= 0 else "1 − D/2, as the mean loss rose"
    return f"{measured}: {n.percent(found.harmful_share, share)} of all movement made tokens worse ({half})"


def _moved(found: Interference) -> str:
    m, change = (found.interval.M, found.interval.delta_L) if found.interval else (None, None)
    falls = found.delta_L <= 0
    down = (-change[1], -change[0]) if change and falls else change
    return (
        f"The average token moved by M\xa0=\xa0{n.text(found.M, m, n.M)} there, while the mean loss "
        f"{'fell' if falls else 'rose'} by {n.text(abs(found.delta_L), down, n.DELTA_L, unit=False)}."
    )


def chance(found: Interference) -> str:
    """D against what random signs would give: whether the interval of R leaves out 0, a mean without direction."""
    if not math.isfinite(found.null_unit):
        return ""
    return (
        f"Chance would give D = {n.number(found.null, 3)} with a random sign for each token and "
        f"{n.number(found.null_unit, 3)} with one for each whole text. Against the latter the last doubling has an "
        f"excess of {n.number(found.excess, 3)}: {_direction(found)}."
    )


def _direction(found: Interference) -> str:
    if found.interval is None:
        return f"without an interval it cannot be said whether that differs from chance ({found.interval_reason})"
    low, high = found.interval.R
    if low <= 0 <= high:
        return "no net direction can be told from chance, as the interval of R contains 0"
    return (
        f"tokens still {'fall' if high < 0 else 'rise'} together more than by chance, as the interval of R is not at 0"
    )


def ends_of(run: RunSummary) -> tuple[DoubleStep, DoubleStep]:
    """The first and the last pair of checkpoints that were compared."""
    ordered = sorted(run.double, key=lambda pair: pair.from_step)
    return ordered[0], ordered[-1]


def apart(a: Interference, b: Interference) -> str:
    """How D changed from a to b: "rose" or "fell" where intervals do not overlap, else why it cannot be said."""
    if a.N != b.N:
        return "the two were measured on different N, and D of different N cannot be compared"
    if a.interval is None or b.interval is None:
        return f"without intervals it cannot be said whether D changed ({a.interval_reason or b.interval_reason})"
    if a.interval.D[1] < b.interval.D[0]:
        return "rose"
    return "fell" if b.interval.D[1] < a.interval.D[0] else "the intervals overlap, so no change of D is claimed"
