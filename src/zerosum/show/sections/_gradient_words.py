"""Sentences and short texts of the sections on per-token gradients. Plain text; they describe and name no causes."""

import math
from collections.abc import Sequence

from zerosum.estimate import Estimate
from zerosum.gradients import GradientInterference, GradientsOverTraining
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.sections._single_run import record_of

MOST_STEPS = 6  # named in a row
SHARE = n.Form("", "", most=4)
ONE = "one checkpoint was measured, and this figure is about several"
PROXY = "This is the positionwise proxy, not the gradients of single tokens."


def measured(report: Report) -> GradientsOverTraining:
    """The only measurement of per-token gradients in the report; only for sections that are not absent."""
    return record_of(report, GradientsOverTraining)


def at_step(checkpoint: GradientInterference, text: str) -> str:
    """A sentence on one checkpoint: at which step, where it is one of a run."""
    if checkpoint.step is None:
        return text[0].upper() + text[1:]
    return f"At step {n.count(checkpoint.step)}, {text}"


def percent(share: Estimate) -> str:
    """A share with its interval, in percent, with more digits where it is near 0 or near 1.

    >>> percent(Estimate(0.93)).replace(chr(160), " "), percent(Estimate(0.99871)).replace(chr(160), " ")
    ('93 %', '99.87 %')
    """
    rest = min(share.value, 1 - share.value)
    places = 0 if rest >= 0.0095 else min(4, 1 - math.floor(math.log10(100 * rest))) if rest > 0 else 0
    ends = share.scaled(100).interval
    if ends:
        places = max(places, n.decimals(0.0, ends))
    return f"{n.number(100 * share.value, places)}\xa0% {n.bracket(ends, places)}".strip(" ")


def with_interval(number: Estimate) -> str:
    """A number with its interval."""
    return n.text(number.value, number.interval, SHARE)


def steps_named(steps: Sequence[int | None]) -> str:
    """Steps in a row, the first few of many.

    >>> steps_named([2, 1000]), steps_named([4])
    ('steps 2, 1,000', 'step 4')
    """
    shown = ", ".join(n.count(step or 0) for step in steps[:MOST_STEPS])
    more = f" and {n.count(len(steps) - MOST_STEPS)} more" if len(steps) > MOST_STEPS else ""
    return f"step{'s' if len(steps) > 1 else ''} {shown}{more}"


def interpolated_step(value: float) -> str:
    """A step between two checkpoints: two digits are enough.

    >>> interpolated_step(31.62), interpolated_step(1234.5), interpolated_step(0.512)
    ('32', '1,200', '0.51')
    """
    return n.count(float(f"{value:.2g}"))


def ending(name: str, longest: int) -> str:
    """A shortened name: the end of a long name, where layers and parameters differ.

    >>> ending("model.decoder.layers.11", 10)
    '…layers.11'
    """
    clean = printable(name, 1_000)
    return clean if len(clean) <= longest else f"…{clean[1 - longest :]}"


def not_compared(over: GradientsOverTraining) -> str:
    """Which checkpoints are left out of comparisons, and why; nothing where none is."""
    left_out = [checkpoint for checkpoint in over.left_out if checkpoint.is_sound]
    if not left_out:
        return ""
    differ_in_method = {checkpoint.is_proxy != over.main.is_proxy for checkpoint in left_out}
    causes = {False: "of another N", True: "of another method"}
    why = " or ".join(cause for by_method, cause in causes.items() if by_method in differ_in_method)
    steps = steps_named([checkpoint.step for checkpoint in left_out])
    return f"Left out, as {why}: {steps}. The others are {over.main.label}."
