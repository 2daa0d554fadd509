"""`fit`: a loss curve -> where it decelerates, how sure that is, and whether to believe it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
from jaxtyping import Float, Int

from zerosum.curves import LossCurve
from zerosum.deceleration import jackknife, paper, robust
from zerosum.deceleration._record import CutoffRow, Fit, ModelRow, Phase, ProcedureName
from zerosum.deceleration.autocorrelation import widening
from zerosum.deceleration.bnsl import asymptote
from zerosum.deceleration.models import compare_points, preferred
from zerosum.deceleration.observed import Observed, observe, spikes
from zerosum.deceleration.points import Points
from zerosum.deceleration.procedures import Procedure
from zerosum.deceleration.varpro import Solutions, solve
from zerosum.deceleration.verdict import Evidence, verdict
from zerosum.errors import InputError

PROCEDURES: dict[str, Procedure] = {one.PROCEDURE.name: one.PROCEDURE for one in (robust, paper)}


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
    how = _procedure(procedure)
    if not 0 < level < 1:
        raise InputError(f"level {level!r}: not between 0 and 1. Give the coverage of the intervals, e.g. 0.95.")
    fitted, seen = observe(curve, stop=_stops(how, phase))
    start = how.default_cutoff(fitted) if cutoff is None else _checked(cutoff)
    found = _search(how.points(fitted), start, float(fitted.step[-1]))
    one_break = _assemble(curve, fitted, seen, how, found, level)
    if not models:
        return one_break
    rows = compare_points(*found.fitted_points())
    return replace(one_break, models=rows, reasons=one_break.reasons + preferred(rows))


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
    """All least-squares fits of one call. weight, block: [n] of the main one. gain: see `jackknife.power_law_error`."""

    points: Points
    cutoff: float
    weight: Float[np.ndarray, " n"]
    best: Solutions
    refits: Solutions
    gain: float
    table: tuple[CutoffRow, ...]

    def fitted_points(self) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"], Int[np.ndarray, " k"]]:
        """x, y and block of the points that were fitted."""
        kept = self.weight > 0
        block = self.points.blocks(self.weight, jackknife.BLOCKS)
        return self.points.x[kept], self.points.y[kept], block[kept]


def _search(points: Points, cutoff: float, last_step: float) -> _Search:
    weight = points.after(cutoff)
    block = points.blocks(weight, jackknife.BLOCKS)
    others = nearby_cutoffs(cutoff, last_step)
    left_out = jackknife.leave_out(weight, block)
    every = solve(points.x, points.y, np.stack([weight, *left_out, *(points.after(c) for c in others)]))
    best, refits = every.rows(slice(0, 1)), every.rows(slice(1, 1 + jackknife.BLOCKS))
    gain = jackknife.power_law_error(points.x, points.y, weight, block, refits)
    table = _table(others, every.rows(slice(1 + jackknife.BLOCKS, None)))
    return _Search(points, cutoff, weight, best, refits, gain, table)


def cutoff_table(
    curve: LossCurve,
    cutoffs: Sequence[float | int],
    *,
    procedure: ProcedureName = "robust",
    phase: Phase | None = None,
) -> tuple[CutoffRow, ...]:
    """How L_d, t_d and r_d move when steps up to each cut-off are dropped. NaN where too few points are left."""
    how = _procedure(procedure)
    points = how.points(observe(curve, stop=_stops(how, phase))[0])
    weights = [points.after(_checked(cutoff)) for cutoff in cutoffs]
    return _table(list(cutoffs), solve(points.x, points.y, np.stack(weights))) if weights else ()


def nearby_cutoffs(cutoff: float, last_step: float) -> list[float]:
    """Half, once, one and a half, twice and four times the cut-off; of a cut-off of 0, those of 1 % of the run."""
    base = cutoff or np.floor(last_step / 100)
    factors = (0.5, 1.0, 1.5, 2.0, 4.0) if cutoff else (0.0, 0.5, 1.0, 2.0)
    return sorted({float(np.floor(base * factor)) for factor in factors})


def _procedure(name: str) -> Procedure:
    if name not in PROCEDURES:
        raise InputError(f"procedure {name!r}: not known. Choose one of {', '.join(sorted(PROCEDURES))}.")
    return PROCEDURES[name]


def _stops(how: Procedure, phase: Phase | None) -> bool:
    if phase not in (None, "stable", "whole"):
        raise InputError(f"phase {phase!r}: not known. Choose one of stable, whole.")
    return (phase or how.phase) == "stable"


def _checked(cutoff: float | int) -> float:
    if not (isfinite(cutoff) and cutoff >= 0):
        raise InputError(f"cut-off {cutoff!r}: not a step. Give 0 or a positive number of steps.")
    return float(cutoff)


def _table(cutoffs: Sequence[float | int], found: Solutions) -> tuple[CutoffRow, ...]:
    with np.errstate(over="ignore", under="ignore"):
        L_d, t_d = np.exp(found.log_L_d), np.exp(found.log_t_d)
    return tuple(
        CutoffRow(float(c), float(L), float(t), float(r))
        for c, L, t, r in zip(cutoffs, L_d, t_d, found.r_d, strict=True)
    )


def _assemble(curve: LossCurve, fitted: LossCurve, seen: Observed, how: Procedure, found: _Search, level: float) -> Fit:
    kept = found.weight > 0
    x, y = found.points.x, found.points.y
    estimate = how.estimate(found.points, found.weight, found.best.law(0))
    law = estimate.params
    first = float(found.points.first_step[kept][0]) if kept.any() else float("nan")
    last = float(fitted.step[-1])
    seen = replace(seen, spikes=spikes(fitted, law, first))
    n_points, n_bins = int((fitted.step >= first).sum()), int(kept.sum())
    residual = law.log_loss(np.exp(x[kept])) - y[kept]
    widen = widening(found.best.law(0).log_loss(np.exp(x[kept])) - y[kept], found.points.log_bin[kept])
    intervals, interval_reasons = jackknife.intervals(found.best, found.refits, level, widen)
    evidence = Evidence(n_points, n_bins, float(fitted.step[0]), first, last, found.cutoff, law, found.best,
                        found.gain, found.table, seen)  # fmt: skip
    word, reasons = verdict(evidence)
    if word == "no-break":
        placeless = dict.fromkeys(("L_d", "t_d"), "there is no break to place: " + reasons[0].message)
        intervals, interval_reasons = intervals | dict.fromkeys(placeless), interval_reasons | placeless
    return Fit(
        curve=curve,
        procedure=how.name,
        params=law,
        errors=estimate.errors,
        L_d=estimate.L_d,
        t_d=estimate.t_d,
        r_d=law.r_d,
        L_T=float(np.exp(y[-1])) if len(y) else float(fitted.loss[-1]),
        L_T_hat=asymptote(estimate.L_d, estimate.t_d, law.r_d, last),
        rsle=float(np.sqrt(np.mean(residual**2))) if n_bins else float("nan"),
        n_points=n_points,
        n_bins=n_bins,
        first_step=first,
        last_step=last,
        cutoff=found.cutoff,
        intervals=intervals,
        interval_level=level,
        interval_method=jackknife.METHOD,
        interval_reasons=interval_reasons,
        verdict=word,
        reasons=reasons + estimate.notes,
        cutoffs=found.table,
        power_law_error=found.gain,
        refits=found.refits,
        widen=widen,
    )
