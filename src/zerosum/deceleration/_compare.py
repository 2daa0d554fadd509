"""`compare`: how the difference in final loss of two runs splits into L_d, t_d and r_d. A description, no cause."""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from zerosum.curves import LossCurve, tokens_per_step
from zerosum.deceleration._record import NATS, Fit
from zerosum.deceleration.decomposition import TERMS, Line, split
from zerosum.deceleration.divergence import LogCurve, common_bins, part_from
from zerosum.deceleration.ends import Ends, ends_of, log_end
from zerosum.deceleration.intervals import OF_PARAMETERS
from zerosum.deceleration.observed import up_to
from zerosum.deceleration.residual_model import Spread
from zerosum.deceleration.shared_misfit import spread_of_both
from zerosum.errors import InputError
from zerosum.estimate import Estimate, Interval, number_or_reason
from zerosum.record import Record

Axis = Literal["steps", "tokens"]
STEADY = 0.02  # tokens per step may change by this much and still count as constant
METHOD = (
    "errors of both fits from models of their residuals (noise and smooth misfit), averaged over how much of the "
    "misfit the two may share"
)
REACHED = "the difference of two reached losses, which has no interval here"
ROUNDING = 1e-12  # nats: what is left of an exact zero when floats are added up
SAME_BATCH = 1.02  # factor in tokens up to which two runs train alike
SMALL = 1e-6  # change of log L_d, log t_d and r_d from which derivatives are taken


@dataclass(frozen=True)
class Term:
    """One part of the difference, nats; below 0: it makes b's loss lower. interval: None with the cause in `reason`.

    name: "L_d", "t_d", "r_d"; "T": b ended at another step; "reached_minus_fit": what the asymptotes leave, with the
    effect of a decay of the learning rate after the fitted steps.
    """

    name: str
    nats: float
    interval: Interval | None
    reason: str = ""

    @property
    def estimate(self) -> Estimate:
        """The term with its interval, or the reason why there is none."""
        return Estimate(self.nats, self.interval, self.reason, unit=NATS)

    @property
    def exactly_zero(self) -> bool:
        """Whether it is no estimate at all: runs that end at the same step have no T term."""
        return self.interval is not None and max(map(abs, (self.nats, *self.interval))) < ROUNDING


@dataclass(frozen=True)
class Batches:
    """How much two runs trained by the same step, where this differs. Token counts are NaN where a log has none.

    step: the last step that both fits saw. seen_a, seen_b: tokens by then. late_a, late_b: tokens of a late step.
    """

    step: float
    seen_a: float
    seen_b: float
    late_a: float
    late_b: float


@dataclass(frozen=True, repr=False)
class Comparison(Record):
    """b minus a. total: loss of b minus that of a where each log ends, nats; the terms add up to it exactly.

    ends: where the losses are read, and the difference at equal steps or tokens where the logs end apart.
    terms: empty, with the cause in `reason`, where one of the two has no break to speak of.
    method: how the intervals of the terms were made.
    differ_from: step (or tokens) of a from which on the losses differ for good; None with `differ_reason`.
    differ_throughout: they differ over all that both fits saw, so that `differ_from` is only where this begins.
    batches: where axis is "steps", but equal steps are not equal amounts of training; else None.
    """

    a: str
    b: str
    axis: Axis
    total: float
    ends: Ends
    terms: tuple[Term, ...]
    reason: str
    differ_from: float | None
    differ_reason: str
    level: float
    method: str
    differ_throughout: bool = False
    batches: Batches | None = None

    @property
    def total_estimate(self) -> Estimate:
        """The whole difference. It has no interval: one run each."""
        return Estimate(self.total, None, self.reason or REACHED, unit=NATS)

    def to_json(self) -> dict[str, Any]:
        """As a JSON document; what cannot be given is null with a reason beside it."""
        terms = []
        for term in self.terms:
            one: dict[str, Any] = {"name": term.name, "nats": term.nats}
            shown = {"interval": list(term.interval)} if term.interval else {"interval": None}
            terms.append(one | shown | ({} if term.interval else {"interval_reason": term.reason}))
        out: dict[str, Any] = {"a": self.a, "b": self.b, "axis": self.axis}
        out |= number_or_reason("total", self.total, self.reason) | self.ends.to_json() | {"terms": terms}
        out |= {} if self.terms else {"terms_reason": self.reason}
        out |= {"differ_from": self.differ_from, "differ_throughout": self.differ_throughout}
        out |= {} if self.differ_from is not None else {"differ_from_reason": self.differ_reason}
        return out | {"level": self.level, "method": self.method}


def compare(a: Fit, b: Fit, *, axis: Axis = "steps", level: float = 0.95) -> Comparison:
    """Split the difference in loss where each log ends, b minus a, into terms of L_d, t_d, r_d and T, with intervals.

    A fit may stop before the end of its log, where the learning rate falls: its line is continued to the end.
    axis: "tokens" counts t_d and T in training tokens, so that runs of different batch size are compared fairly; the
    fits are to be of curves in tokens (`zerosum.curves.by_tokens`), which changes nothing where batches are all alike.
    level: nominal coverage of the intervals.

    Raises InputError for axis "tokens" where a curve carries no tokens or not the same number at each step.
    """
    if not 0 < level < 1:
        raise InputError(f"level {level!r}: not between 0 and 1. Give the coverage of the intervals, e.g. 0.95.")
    scale_a, scale_b = (_tokens_per_step(fit) if axis == "tokens" else 1.0 for fit in (a, b))
    why = next((f"{fit.curve.name}: {why}" for fit in (a, b) if (why := _no_break(fit))), "")
    ends = ends_of(a, b, scale_a, scale_b)
    terms = () if why else _terms(a, b, ends, np.log(scale_a), np.log(scale_b), level)
    seen = _range(a, scale_a), _range(b, scale_b)
    at = part_from(*seen)
    return Comparison(
        a=a.curve.name,
        b=b.curve.name,
        axis=axis,
        total=ends.total,
        ends=ends,
        terms=terms,
        reason=why,
        differ_from=None if at is None else float(np.exp(at)),
        differ_reason="" if at is not None else "at the end of what both logged they do not differ by more than noise",
        level=level,
        differ_throughout=at is not None and bool(at <= common_bins(*seen).x[0]),
        batches=_batches(a, b) if axis == "steps" else None,
        method=METHOD,
    )


def _no_break(fit: Fit) -> str:
    if fit.has_break and isfinite(fit.L_T_hat):
        return ""
    return next((reason.message for reason in fit.reasons), "there is no fit")


def _terms(a: Fit, b: Fit, ends: Ends, shift_a: float, shift_b: float, level: float) -> tuple[Term, ...]:
    line_a, line_b = _line(a, shift_a), _line(b, shift_b)
    why = next((f"{fit.curve.name}: {fit.interval_reasons['t_d']}" for fit in (a, b) if not fit.intervals["t_d"]), "")
    values = _all_terms(ends.total, line_a, line_b)
    halves = np.zeros(len(values)) if why else _spread(a, b, ends.total, line_a, line_b).half_widths(level)
    return tuple(
        Term(name, float(nats), None if why else (float(nats) - half, float(nats) + half), why)
        for (name, nats), half in zip(values.items(), halves.tolist(), strict=True)
    )


def _spread(a: Fit, b: Fit, total: float, line_a: Line, line_b: Line) -> Spread:
    """Of the terms. Misfit that both curves share at equal steps or tokens cancels in their difference."""
    if a.fit_errors is None or b.fit_errors is None:
        raise InputError(f"{a.curve.name}, {b.curve.name}: a fit without its errors. Fit it again.")
    of_a = _derivatives(lambda moved: _all_terms(total, moved, line_b), line_a) @ OF_PARAMETERS
    of_b = _derivatives(lambda moved: _all_terms(total, line_a, moved), line_b) @ OF_PARAMETERS
    shift_a, shift_b = (float(line.log_t_d - np.log(fit.t_d)) for line, fit in ((line_a, a), (line_b, b)))
    return spread_of_both(of_a, a.fit_errors, of_b, b.fit_errors, shift_b - shift_a)


def _derivatives(terms: Callable[[Line], dict[str, np.ndarray]], line: Line) -> Float[np.ndarray, "terms 3"]:
    """Of the terms by log L_d, log t_d and r_d of one of the lines."""
    steps = SMALL * np.concatenate([np.eye(3), -np.eye(3)])
    moved = Line(line.log_L_d + steps[:, 0], line.log_t_d + steps[:, 1], line.r_d + steps[:, 2], line.log_T)
    values = np.stack([np.broadcast_to(value, 6) for value in terms(moved).values()])
    return np.asarray((values[:, :3] - values[:, 3:]) / (2 * SMALL))


def _all_terms(total: float, line_a: Line, line_b: Line) -> dict[str, np.ndarray]:
    terms = split(line_a, line_b)
    terms["reached_minus_fit"] = np.asarray(total - sum(terms[name] for name in TERMS))
    return terms


def _line(fit: Fit, shift: float) -> Line:
    return Line(*(np.asarray(value) for value in (
        np.log(fit.L_d), np.log(fit.t_d) + shift, fit.r_d, np.log(log_end(fit)) + shift)))  # fmt: skip


def _tokens_per_step(fit: Fit) -> float:
    curve: LossCurve = fit.curve
    if curve.tokens is None:
        raise InputError(f"{curve.name}: no tokens in this log. Name their column, or compare by steps.")
    unit = tokens_per_step(curve)
    late = curve.step >= max(0.1 * fit.last_step, fit.first_step)
    ratio = curve.tokens[late] / np.maximum(curve.step[late], 1e-300)
    if not unit > 0 or np.abs(ratio / unit - 1).max(initial=0.0) > STEADY:
        raise InputError(
            f"{curve.name}: a step does not stand for the same number of tokens throughout (a batch size warm-up?). "
            "Count it in tokens before the fit: zerosum.curves.by_tokens(curve)."
        )
    return unit


def _range(fit: Fit, scale: float) -> LogCurve:
    """Log position and log loss of the fitted rows."""
    curve = up_to(fit.curve, fit.last_step)
    rows = (curve.step >= fit.first_step) & (curve.step > 0)
    return LogCurve(np.log(curve.step[rows] * scale), np.log(curve.loss[rows]))


def _batches(a: Fit, b: Fit) -> Batches | None:
    """Tokens seen at the same step, and of a late step, where they differ all along or after a batch-size warm-up."""
    last = min(a.last_step, b.last_step)
    seen_a, seen_b = (_tokens_at(last, fit.curve) for fit in (a, b))
    late_a, late_b = (tokens_per_step(fit.curve) for fit in (a, b))
    if any(max(both) > SAME_BATCH * min(both) for both in ((seen_a, seen_b), (late_a, late_b))):
        return Batches(last, seen_a, seen_b, late_a, late_b)
    return None


def _tokens_at(step: float, curve: LossCurve) -> float:
    return float("nan") if curve.tokens is None else float(np.interp(step, curve.step, curve.tokens))
