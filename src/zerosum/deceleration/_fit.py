"""`fit`: a loss curve -> where it decelerates, how sure that is, and whether to believe it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from zerosum.curves import LossCurve
from zerosum.deceleration._prepare import Prepared, checked, checked_level, prepare
from zerosum.deceleration._record import CutoffRow, Fit, ModelRow, Phase, ProcedureName, Reason
from zerosum.deceleration.autocorrelation import widening
from zerosum.deceleration.bnsl import BNSL, asymptote
from zerosum.deceleration.break_test import break_evidence, shows_break
from zerosum.deceleration.fit_errors import METHOD, errors_of_fit
from zerosum.deceleration.intervals import intervals
from zerosum.deceleration.left_out import BLOCKS, leave_out, power_law_error
from zerosum.deceleration.models import compare_points, preferred
from zerosum.deceleration.observed import spikes
from zerosum.deceleration.points import Points
from zerosum.deceleration.varpro import Solutions, solve
from zerosum.deceleration.verdict import NO_GAIN, ROOM_BEFORE, Evidence, verdict
from zerosum.deceleration.weighting import least_squares, rebalanced
from zerosum.estimate import Interval


def fit(
    curve: LossCurve,
    *,
    procedure: ProcedureName = "robust",
    cutoff: float | int | None = None,
    level: float = 0.95,
    phase: Phase | None = None,
    models: bool = False,
) -> Fit:
    """Fit the one-break law to a loss curve.

    procedure: "robust" (log bins), or "paper" (the published smoothing, thinning and least squares).
    cutoff: drop steps up to here. None: 100 for "paper"; for "robust" 1 % of the run, at most 100.
    level: nominal coverage of the intervals.
    phase: "stable" stops where the learning rate falls, "whole" fits through it. None: "whole" for "paper" only.
    models: fit other laws beside it (see `compare_models`), which takes up to a second.
    A curve that cannot be fitted gives NaN numbers and the verdict "cannot-tell", not an error.

    Raises InputError for an unknown procedure or phase, or for a cut-off or level out of range.
    """
    given = prepare(curve, procedure, cutoff, phase)
    search = _search(given)
    one_break = _assemble(given, search, checked_level(level))
    if not models:
        return one_break
    rows = compare_points(*search.fitted_points(), weight=search.weight[search.used])
    return _beside(replace(one_break, models=rows), preferred(rows))


def _beside(fitted: Fit, by_models: tuple[Reason, ...]) -> Fit:
    """The fit with the reasons that the other laws give. They can only speak against a break."""
    if fitted.has_break and any(reason.level == "blocking" for reason in by_models):
        return replace(fitted, verdict="cannot-tell", reasons=by_models + fitted.reasons)
    return replace(fitted, reasons=fitted.reasons + tuple(replace(reason, level="note") for reason in by_models))


def compare_models(
    curve: LossCurve,
    *,
    procedure: ProcedureName = "robust",
    cutoff: float | int | None = None,
    phase: Phase | None = None,
) -> tuple[ModelRow, ...]:
    """How well each law of `models.MODELS` describes the points that `fit` would see.

    procedure, cutoff, phase: as for `fit`. Compare their `criterion`: errors on stretches that were left out.
    """
    return fit(curve, procedure=procedure, cutoff=cutoff, phase=phase, models=True).models


@dataclass(frozen=True)
class _Search:
    """All least-squares fits of one call. used: [n] points after the cut-off. gain: see `left_out.power_law_error`."""

    points: Points
    cutoff: float
    used: Bool[np.ndarray, " n"]
    best: Solutions
    weight: Float[np.ndarray, " n"]
    gain: float
    table: tuple[CutoffRow, ...]

    def fitted_points(self) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"], Int[np.ndarray, " k"]]:
        """x, y and block of the points that were fitted."""
        block = self.points.blocks(self.points.after(self.cutoff), BLOCKS)
        return self.points.x[self.used], self.points.y[self.used], block[self.used]


def _search(given: Prepared) -> _Search:
    points, cutoff = given.points, given.cutoff
    weight = points.after(cutoff)
    block = points.blocks(weight, BLOCKS)
    cutoffs = sorted({cutoff, *nearby_cutoffs(cutoff, given.last_step)})
    weights = np.stack([points.after(other) for other in cutoffs])
    every = solve(points.x, points.y, np.concatenate([leave_out(weight, block), weights]))
    refits, solutions = every.rows(slice(0, BLOCKS)), every.rows(slice(BLOCKS, None))
    gain = power_law_error(points.x, points.y, weight, block, refits)
    if given.how.balanced:
        weights, solutions = rebalanced(points, weights, solutions)
    main = cutoffs.index(cutoff)
    table = _table(cutoffs, weights, solutions)
    best = solutions.rows(slice(main, main + 1))
    return _Search(points, cutoff, weight > 0, best, weights[main], gain, table)


def cutoff_table(
    curve: LossCurve,
    cutoffs: Sequence[float | int],
    *,
    procedure: ProcedureName = "robust",
    phase: Phase | None = None,
) -> tuple[CutoffRow, ...]:
    """How L_d, t_d and r_d move when steps up to each cut-off are dropped. NaN where too few points are left."""
    given = prepare(curve, procedure, None, phase)
    starts = [checked(cutoff) for cutoff in cutoffs]
    return _table(starts, *least_squares(given.points, starts, balanced=given.how.balanced)) if starts else ()


def nearby_cutoffs(cutoff: float, last_step: float) -> list[float]:
    """Half, once, one and a half, twice and four times the cut-off; of a cut-off of 0, those of 1 % of the run."""
    base = cutoff or np.floor(last_step / 100)
    factors = (0.5, 1.0, 1.5, 2.0, 4.0) if cutoff else (0.0, 0.5, 1.0, 2.0)
    return sorted({float(np.floor(base * factor)) for factor in factors})


def _table(
    cutoffs: Sequence[float | int], weights: Float[np.ndarray, "B n"], solutions: Solutions
) -> tuple[CutoffRow, ...]:
    with np.errstate(over="ignore", under="ignore"):
        L_d, t_d = np.exp(solutions.log_L_d), np.exp(solutions.log_t_d)
    bins = [int((weight > 0).sum()) for weight in weights]
    return tuple(
        CutoffRow(float(c), float(L), float(t), float(r), n)
        for c, L, t, r, n in zip(cutoffs, L_d, t_d, solutions.r_d, bins, strict=True)
    )


def _assemble(given: Prepared, search: _Search, level: float) -> Fit:
    x, y, _ = search.fitted_points()
    estimate = given.how.estimate(search.points, search.weight, search.best.law(0))
    law = estimate.params
    errors = errors_of_fit(search.points, search.weight, law)
    with np.errstate(divide="ignore"):
        centres = np.array([np.log(estimate.L_d), np.log(estimate.t_d), law.r_d])
    ends, interval_reasons = intervals(centres, errors, search.best, level)
    evidence = _evidence(given, search, law, break_evidence(errors, law), ends["t_d"])
    word, reasons = verdict(evidence)
    if word == "no-break":
        placeless = dict.fromkeys(("L_d", "t_d"), "there is no break to place: " + reasons[0].message)
        ends, interval_reasons = ends | dict.fromkeys(placeless), interval_reasons | placeless
    return Fit(
        curve=given.curve,
        procedure=given.how.name,
        params=law,
        errors=estimate.errors,
        L_d=estimate.L_d,
        t_d=estimate.t_d,
        r_d=law.r_d,
        L_T=float(np.exp(y[-1])) if len(y) else float(given.fitted.loss[-1]),
        L_T_hat=asymptote(estimate.L_d, estimate.t_d, law.r_d, given.last_step),
        rsle=float(np.sqrt(np.mean((law.log_loss(np.exp(x)) - y) ** 2))) if len(y) else float("nan"),
        n_points=evidence.n_points,
        n_bins=evidence.n_bins,
        first_step=evidence.first_step,
        last_step=given.last_step,
        cutoff=search.cutoff,
        intervals=ends,
        interval_level=level,
        interval_method=METHOD,
        interval_reasons=interval_reasons,
        verdict=word,
        reasons=reasons + estimate.notes,
        cutoffs=search.table,
        power_law_error=search.gain,
        break_evidence=evidence.evidence,
        fit_errors=errors,
    )


def _hidden(given: Prepared, search: _Search) -> CutoffRow | None:
    """The largest of some lower cut-offs that clearly shows a deceleration which ends before the fitted range."""
    points = search.points
    for share in (0.5, 0.25, 0.1, 0.0):
        lower = float(np.floor(share * search.cutoff))
        first = points.first_step[points.first_step > lower][0]
        if lower == search.cutoff or first > search.cutoff:
            return None
        weights, solutions = least_squares(points, [lower], balanced=given.how.balanced)
        law = solutions.law(0)
        evidence = break_evidence(errors_of_fit(points, weights[0], law), law)
        inside = ROOM_BEFORE * first <= law.t_d <= ROOM_BEFORE * search.cutoff
        if law.c1 < 0 and inside and shows_break(evidence, law):
            return _table([lower], weights, solutions)[0]
    return None


def _evidence(given: Prepared, search: _Search, law: BNSL, evidence: float, t_d_interval: Interval | None) -> Evidence:
    used = search.used
    x, y, block = search.fitted_points()
    first = float(search.points.first_step[used][0]) if used.any() else float("nan")
    return Evidence(
        n_points=int((given.fitted.step >= first).sum()),
        n_bins=int(used.sum()),
        start=float(given.fitted.step[0]),
        first_step=first,
        last_step=given.last_step,
        cutoff=search.cutoff,
        params=law,
        best=search.best,
        gain=search.gain,
        evidence=evidence,
        cutoffs=search.table,
        x=x,
        y=y,
        block=block,
        t_d_interval=t_d_interval,
        widen=widening(search.best.law(0).log_loss(np.exp(x)) - y, search.points.log_bin[used]),
        hidden=_hidden(given, search) if search.gain <= NO_GAIN and not shows_break(evidence, law) else None,
        seen=replace(given.seen, spikes=spikes(given.fitted, law, first)),
    )
