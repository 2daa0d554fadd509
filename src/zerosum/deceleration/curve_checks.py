"""Reasons that come from the run rather than from the fit: its learning rate, gaps, resumptions and spikes."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from zerosum.deceleration._record import Reason, ReasonCode
from zerosum.deceleration.local_slopes import last_decade_rate
from zerosum.deceleration.observed import Observed
from zerosum.deceleration.rate_changes import RateChange

ROOM = 2.0  # a fall of the learning rate that begins before this many times t_d may be what bends the curve at t_d
NEAR = 1.25  # factor between t_d and a change of the learning rate below which the one may be the other
REACHES = 0.5  # warm-up that lasts beyond this share of t_d: the rate before the break is that of the warm-up
RISES = 3.0  # standard errors of the rate of the last decade
MOST_NOT_POSITIVE = 0.01  # of the losses; a cross-entropy of language is never 0 or below


def curve_reasons(seen: Observed, first_step: float, t_d: float, *, faster: bool) -> Iterator[Reason]:
    """Every reason, blocking or not. first_step: of the fitted range. t_d: of the fit; NaN where there is none.

    faster: whether the law says that the loss falls faster after t_d than before.
    """
    if seen.not_positive > MOST_NOT_POSITIVE * seen.of:
        text = (
            f"{seen.not_positive} of {seen.of} losses were not positive and were dropped, which biases the rest: this "
            "is not a cross-entropy in nats. Choose another column"
        )
        yield Reason("not-a-cross-entropy", "blocking", text)
    for change in seen.changes:
        if change.kind == "warm-up":
            yield _warm_up(change, first_step, t_d)
        else:
            yield _fall(change, seen.stopped, t_d, faster=faster)
    for before, after in seen.gaps:
        hides = before < t_d < after
        text = f"nothing was logged between step {before:g} and {after:g}" + (
            f", where the fit puts the break (step {t_d:.0f}): find the missing part of the log" if hides else ""
        )
        yield Reason("gap", "blocking" if hides else "note", text)
    for sentence in seen.resumed:
        yield Reason("resumed", "note", sentence)
    for sentence in seen.diverged:
        yield Reason("diverged", "note", sentence)
    if seen.spikes:
        where = ", ".join(f"{step:g}" for step in seen.spikes[:3]) + (", ..." if len(seen.spikes) > 3 else "")
        text = f"the loss spikes 10 % or more above the law, {len(seen.spikes)} times (step {where})"
        yield Reason("spikes", "note", text)


def _warm_up(change: RateChange, first_step: float, t_d: float) -> Reason:
    if change.end > REACHES * t_d:
        text = (
            f"the learning rate warms up until step {change.end:g} and reaches the break at step {t_d:.0f}: the rate "
            "before the break is that of the warm-up. Only a run with a shorter warm-up can tell"
        )
        return Reason("warm-up", "blocking", text)
    covers = f"{'after' if change.end >= first_step else 'before'} the fit begins (step {first_step:g})"
    covers = covers if np.isfinite(first_step) else "and no more was logged"
    return Reason("warm-up", "note", f"the learning rate warms up until step {change.end:g}, {covers}")


def _fall(change: RateChange, stopped: bool, t_d: float, *, faster: bool) -> Reason:
    code: ReasonCode = "step-down" if change.kind == "step-down" else "cooldown"
    what = _what(change)
    if change.ends_stable_phase and stopped:
        return Reason(code, "note", f"{what}: only the stable phase before it is fitted")
    if faster and change.start < ROOM * t_d:
        text = (
            f"{what}, which makes the loss fall faster by itself: the faster fall after step {t_d:.0f} may be that of "
            "the learning rate. Only a run at a constant rate can tell"
        )
        return Reason("cooldown", "blocking", text)
    if max(change.start / t_d, t_d / change.start) < NEAR if change.start > 0 else False:
        text = f"{what}, and the fit puts the break there (step {t_d:.0f}): it may be that of the learning rate"
        return Reason(code, "blocking" if change.kind == "step-down" else "note", text)
    return Reason(code, "note", f"{what}: the fit runs through it, and its rates hold for this schedule only")


def _what(change: RateChange) -> str:
    if change.likely:
        return (
            f"the loss falls sharply from step {change.start:.0f} on, as in a cooldown or a step-down of the learning "
            "rate (likely: no learning rate was logged)"
        )
    if change.kind == "step-down":
        return f"the learning rate steps down at step {change.end:g}, to {change.factor:.3g} of its peak"
    through = " all through the run" if change.kind == "decay" else ""
    return f"the learning rate decays{through} from step {change.start:g} on, to {change.factor:.3g} of its peak"


def loss_rises(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> Iterator[Reason]:
    """The note that the loss rises in the end. x: [n] log steps of the fitted points. y: [n] log losses."""
    rate, error = last_decade_rate(x, y)
    if rate < -RISES * error:
        text = (
            f"the loss rises over the last factor of ten in steps (log-log rate {rate:.2g}): the run diverges, or this "
            "is not a training loss"
        )
        yield Reason("loss-rises", "note", text)
