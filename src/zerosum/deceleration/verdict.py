"""Does this curve decelerate? The answer in one word, and every reason that bears on it.

"cannot-tell" is an answer: it is given where the numbers would be an accident of the fitted range.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from zerosum.deceleration._record import CutoffRow, Reason, VerdictWord
from zerosum.deceleration.bends import bends_instead, falls_fast_again, structured_misfit
from zerosum.deceleration.bnsl import BNSL
from zerosum.deceleration.break_test import LEAST_CHANGE, NEEDED, changes_enough, shows_break
from zerosum.deceleration.curve_checks import REACHES, curve_reasons, loss_rises
from zerosum.deceleration.local_slopes import largest_turn
from zerosum.deceleration.observed import Observed
from zerosum.deceleration.sides import not_measured
from zerosum.deceleration.varpro import Solutions
from zerosum.deceleration.warm_ups import unlogged_rate, warm_up_instead

FEWEST_BINS, FEWEST_POINTS = 25, 60
LATEST_START = 300.0  # step; a later log has lost most of what lies before the break
ROOM_BEFORE, ROOM_AFTER = 2.0, 3.0  # t_d / first step, last step / t_d
NEEDED_GAIN = 2.0  # cross-validation error of a power law over the one-break law's that shows a break by itself
NO_GAIN = 1.1  # at most so much for the verdict that there is no break
LEAST_SPAN = 20.0  # last over first fitted step; a straight piece shorter than this rules no break out
TURNS = 0.5  # a change of the rate the other way, over the change that the break claims
MISFIT = 0.02  # of the loss; a law that misses the curve by more, other than by noise, does not describe it
T_D_MOVES, T_D_LOST = 1.5, 3.0  # factor by which t_d moves with the cut-off: noted; blocking when it is doubled


@dataclass(frozen=True)
class Evidence:
    """Everything that the verdict depends on. start: first step of the log itself; first_step, last_step: fitted range.

    seen: facts about the run. best: the fit, one row. gain: see `left_out.power_law_error`. evidence: see `break_test`.
    x, y: log step and log loss of the fitted points. block: which stretch each is left out with. t_d_interval: steps.
    widen: of a rate's error, see `autocorrelation`. hidden: the fit with a lower cut-off that shows a break where this
    one has none.
    """

    n_points: int
    n_bins: int
    start: float
    first_step: float
    last_step: float
    cutoff: float
    params: BNSL
    best: Solutions
    gain: float
    evidence: float
    cutoffs: tuple[CutoffRow, ...]
    x: Float[np.ndarray, " n"]
    y: Float[np.ndarray, " n"]
    block: Int[np.ndarray, " n"]
    t_d_interval: tuple[float, float] | None
    widen: float
    hidden: CutoffRow | None = None
    seen: Observed = field(default_factory=Observed)


def verdict(e: Evidence) -> tuple[VerdictWord, tuple[Reason, ...]]:
    """One word, and the reasons, blocking ones first.

    A range too short or too late blocks everything. Then a plain power law that predicts left-out stretches as well
    means that there is no break, if the range is long enough to have shown one. Only then it matters where the
    break is.
    """
    # Without a break there is no t_d that a change of the run could lie near.
    about_run = tuple(curve_reasons(e.seen, e.first_step, float("nan"), faster=False))
    notes = (*(reason for reason in about_run if reason.level == "note"), *loss_rises(e.x, e.y))
    blocking = [reason for check in RANGE_CHECKS for reason in check(e)]
    blocking += [reason for reason in about_run if reason.level == "blocking"]
    if blocking:
        return "cannot-tell", (*blocking, *notes)
    if not _shows_break(e):
        if bent := _not_straight(e):
            return "cannot-tell", (bent, *notes)
        word, reason = _without_break(e)
        return word, (reason, *notes)
    about_run = tuple(curve_reasons(e.seen, e.first_step, e.params.t_d, faster=e.params.c1 > 0))
    about_break = [*(reason for check in BREAK_CHECKS for reason in check(e)), *loss_rises(e.x, e.y)]
    reasons = sorted([*about_break, *about_run], key=lambda reason: reason.level)
    blocked = any(reason.level == "blocking" for reason in reasons)
    residual = e.params.log_loss(np.exp(e.x)) - e.y
    suspect = blocked or falls_fast_again(e.x, e.y, e.params, e.widen)
    bends = bends_instead(e.x, e.y, e.block, residual) if suspect else None
    if blocked or bends:
        rest = tuple(reason for reason in reasons if reason.code not in (OF_ONE_BREAK if bends else OF_A_PLACE))
        return "cannot-tell", ((bends, *rest) if bends else rest)
    return ("decelerates" if e.params.c1 < 0 else "accelerates"), tuple(reasons)


def _shows_break(e: Evidence) -> bool:
    """By its likelihood beside misfit, or by left-out stretches; at an edge of the range the two must not disagree."""
    inside = ROOM_BEFORE * e.first_step <= e.params.t_d <= e.last_step / ROOM_AFTER
    likely = shows_break(e.evidence, e.params) and (inside or e.gain > NO_GAIN)
    return likely or (e.gain >= NEEDED_GAIN and changes_enough(e.params))


def _not_straight(e: Evidence) -> Reason | None:
    """Why no verdict can be given on a curve that neither a power law nor one break describes; None if one may."""
    slope, level = np.polyfit(e.x, e.y, 1)
    line = slope * e.x + level - e.y
    misfit = structured_misfit(line)
    if misfit < MISFIT:
        return None
    unlogged = None if e.seen.rate_logged else warm_up_instead(e.x, e.y, e.params)
    better = unlogged or bends_instead(e.x, e.y, e.block, line) or next(_side_not_measured(e), None)
    text = (
        f"a power law misses the curve by {100 * misfit:.2g} % other than by noise, and a break predicts left-out "
        "stretches no better. Look at the curve: it may bend more than once, or wander"
    )
    return better or Reason("break-not-shown", "blocking", text)


def _without_break(e: Evidence) -> tuple[VerdictWord, Reason]:
    """No break, or cannot tell: a break may lie outside a short range."""
    times = f"left-out stretches are predicted with {e.gain:.2f} times the one-break law's error by a plain power law"
    if e.gain > NO_GAIN:
        shown = f"the evidence for a break is {e.evidence:.3g} ({NEEDED:g} is needed), with a rate that changes by"
        change = 100 * abs(e.params.c1) / max(abs(e.params.r_before), abs(e.params.r_d), 1e-300)
        need = f"{shown} {change:.2g} % ({100 * LEAST_CHANGE:g} % is needed). Train longer or log more often"
        return "cannot-tell", Reason("break-not-shown", "blocking", f"{times}; {need}")
    span = e.last_step / e.first_step
    if span < LEAST_SPAN:
        need = (
            f"the fitted steps span a factor of {span:.1f}; {LEAST_SPAN:g} is needed to rule a break out. Train longer"
        )
        return "cannot-tell", Reason("range-too-short", "blocking", f"{times}, but {need}")
    if e.hidden:
        text = (
            f"{times} after step {e.cutoff:g}, but with the cut-off at {e.hidden.cutoff:g} there is a break at step "
            f"{e.hidden.t_d:.0f}: the cut-off hides it. Fit with --cutoff {e.hidden.cutoff:g}"
        )
        return "cannot-tell", Reason("break-below-cutoff", "blocking", text)
    dropped = f"; steps up to {e.cutoff:g} were not looked at"
    return "no-break", Reason("power-law-suffices", "note", f"{times}: as well as by one with a break{dropped}")


def _too_few_points(e: Evidence) -> Iterator[Reason]:
    if e.n_bins < FEWEST_BINS or e.n_points < FEWEST_POINTS or not np.isfinite(e.gain):
        text = (
            f"{e.n_points} rows in {e.n_bins} points are left after step {e.cutoff:g}; {FEWEST_POINTS} rows in "
            f"{FEWEST_BINS} points are needed. Log more often, train longer, or lower the cut-off"
        )
        yield Reason("too-few-points", "blocking", text)


def _starts_too_late(e: Evidence) -> Iterator[Reason]:
    if e.start > LATEST_START:
        text = (
            f"the log starts at step {e.start:g}; what lies before the break is lost. A log from step {LATEST_START:g} "
            "or earlier is needed"
        )
        yield Reason("starts-too-late", "blocking", text)


def _starts_after_break(e: Evidence) -> Iterator[Reason]:
    """The fit puts the break at the first points of the log itself, so that a lower cut-off would not help."""
    if e.best.t_at_edge[0] and e.start > e.cutoff and e.params.t_d**2 < e.first_step * e.last_step:
        text = (
            f"the log starts at step {e.start:g}, and the fit puts the break as early as it may (step "
            f"{e.params.t_d:.0f}): the log starts after the break, or at it. A log from an earlier step is needed"
        )
        yield Reason("starts-too-late", "blocking", text)


def _break_at_edge(e: Evidence) -> Iterator[Reason]:
    if e.params.t_d < ROOM_BEFORE * e.first_step:
        remedy = "Lower the cut-off" if e.start <= e.cutoff else "A log from an earlier step is needed"
        remedy = "A run with a shorter warm-up is needed" if e.cutoff == e.seen.warm_up_end > 0 else remedy
        text = (
            f"the break at step {e.params.t_d:.0f} is less than {ROOM_BEFORE:g} times the first fitted step "
            f"{e.first_step:g}: the rate before it is not measured. {remedy}"
        )
        yield Reason("break-at-edge", "blocking", text)
    if e.params.t_d > e.last_step / ROOM_AFTER:
        text = (
            f"the break at step {e.params.t_d:.0f} is later than the last step {e.last_step:g} divided by "
            f"{ROOM_AFTER:g}: the rate after it is not measured. Train longer"
        )
        yield Reason("break-at-edge", "blocking", text)


def _side_not_measured(e: Evidence) -> Iterator[Reason]:
    why = not_measured(e.x, e.y, e.params)
    if why and not any(_break_at_edge(e)):
        yield Reason("side-not-measured", "blocking", f"{why}. Log more often, or from an earlier step")


def _bent_by_warm_up(e: Evidence) -> Iterator[Reason]:
    """A warm-up may be the bend: it is looked for where no rate was logged, and known where one was."""
    if not e.seen.rate_logged:
        yield unlogged_rate(e.x, e.y, e.params)
    elif 0 < (end := e.seen.warm_up_end) <= REACHES * e.params.t_d:  # a later end blocks by itself
        yield from filter(None, [warm_up_instead(e.x, e.y, e.params, end)])


def _width_at_bound(e: Evidence) -> Iterator[Reason]:
    if e.best.f_at_edge[0] > 0:
        text = f"the bend spreads over more than the fit allows (width {e.params.f1:.2g}): this is a curve, not a break"
        yield Reason("width-at-bound", "blocking", text)
    if e.best.f_at_edge[0] < 0:
        text = (
            f"the bend is sharper than the points can show (width {e.params.f1:.2g}): a kink, as a change of the "
            "learning rate makes it"
        )
        if e.seen.rate_logged:
            yield Reason("width-at-bound", "note", text)
        else:
            yield Reason("width-at-bound", "blocking", f"{text}, and no learning rate was logged that rules this out")


def _unstable_cutoff(e: Evidence) -> Iterator[Reason]:
    """Only cut-offs that leave room before the break count against the fit, and only near ones block it."""
    judged = [row for row in e.cutoffs if e.cutoff < row.cutoff <= e.params.t_d / ROOM_BEFORE and np.isfinite(row.t_d)]
    moves = [(max(row.t_d / e.params.t_d, e.params.t_d / row.t_d), row) for row in judged]
    lost = [move for move in moves if move[0] > T_D_LOST and move[1].cutoff <= 2 * e.cutoff]
    moved = [move for move in moves if move[0] > T_D_MOVES]
    if not moved:
        return
    _, row = max(lost or moved, key=lambda move: move[0])
    text = (
        f"t_d moves from {e.params.t_d:.0f} to {row.t_d:.0f} when the cut-off goes from {e.cutoff:g} to "
        f"{row.cutoff:g}: what comes before the break is not a straight line"
    )
    yield Reason("unstable-cutoff", "blocking" if lost else "note", text)


def _turns_back(e: Evidence) -> Iterator[Reason]:
    """Asked of an acceleration only: a loss that slows down often falls slowly at first, and wanders later."""
    if not e.params.c1 > 0:
        return
    turn = largest_turn(e.x, e.y, widen=e.widen)
    if turn > TURNS * e.params.c1:
        text = (
            f"the fit says that the loss falls faster after the break, by a rate of {e.params.c1:.2g}, but from one "
            f"stretch of the curve to a later one the rate drops by {turn:.2g}: it bends more than once, or flattens"
        )
        yield Reason("turns-back", "blocking", text)


def _not_located(e: Evidence) -> Iterator[Reason]:
    ends = e.t_d_interval
    if ends and ends[1] / ends[0] <= e.last_step / e.first_step:
        return
    what = (
        f"has the interval {ends[0]:.3g} to {ends[1]:.3g}, wider than the fitted range" if ends else "has no interval"
    )
    text = f"there is a break, but where it lies is not known: t_d {what}"
    yield Reason("break-not-located", "note", text)


OF_A_PLACE = ("break-not-located",)  # codes that say nothing where no break is believed
OF_ONE_BREAK = (*OF_A_PLACE, "break-at-edge", "side-not-measured")
Check = Callable[[Evidence], Iterator[Reason]]
RANGE_CHECKS: tuple[Check, ...] = (_too_few_points, _starts_too_late)
BREAK_CHECKS: tuple[Check, ...] = (_starts_after_break, _break_at_edge, _side_not_measured, _bent_by_warm_up,
                                   _width_at_bound, _turns_back, _unstable_cutoff, _not_located)  # fmt: skip
