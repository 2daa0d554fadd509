"""Fit a law of the loss to a table of runs."""

import math
from typing import Any

import numpy as np

from zerosum.errors import InputError
from zerosum.estimate import Estimate
from zerosum.scaling.fit_record import LawFit, Starts
from zerosum.scaling.fitted_law import LEVEL, FittedLaw
from zerosum.scaling.influence import influence
from zerosum.scaling.law import Law
from zerosum.scaling.laws import law as law_of
from zerosum.scaling.noise import FEWEST_RUNS, Noise, noise_of, run_noise
from zerosum.scaling.profile import profiles
from zerosum.scaling.reading import read_table
from zerosum.scaling.resampling import resample
from zerosum.scaling.search import PER_AXIS, Minimum, search
from zerosum.scaling.table import LossTable
from zerosum.scaling.verdict import reasons_of

FEWEST_SIZES = 3  # below, no power of N can be seen at all
DRAWS = 1_000


def fit(
    table: Any,
    law: str = "chinchilla",
    *,
    delta: float | None = None,
    per_axis: int = PER_AXIS,
    draws: int = DRAWS,
    seed: int = 0,
    **reading: Any,
) -> LawFit:
    """Fit a law to losses of several sizes, with intervals and a verdict on whether its parameters are identified.

    table: a `LossTable`, or what `read_table` takes, with its options as `reading`. delta: of Huber's loss, None for
    the law's own. per_axis: starts on each axis of the grid of searches (16 makes 4,096 for Chinchilla's law). draws:
    resampled tables for the intervals. Raises InputError for fewer than three sizes or fewer points than parameters.
    """
    chosen, data = law_of(law), read_table(table, **reading)
    delta = chosen.delta_or(delta)
    if why := too_little(data, chosen):
        advice = f"Give checkpoints of at least {FEWEST_SIZES} sizes; 5 or more sizes can be identified."
        raise InputError(f"{data.source}: rows 1 to {len(data)} have {why}. {advice}")
    best = search(data, chosen, delta=delta, per_axis=per_axis)
    noise = noise_of(best, data.run_number, data.own_error)
    fitted = _with_intervals(data, best, noise, draws, seed)
    exponents_and_floor = [*chosen.exponents, *(["log_E"] if chosen.floor is not None else [])]
    profiled = profiles(best, noise, exponents_and_floor)
    influences = influence(best, fitted.drawn.std(axis=0))
    reasons = reasons_of(data, best, profiled, influences)
    return LawFit(
        **vars(fitted),
        form=chosen.form,
        source=chosen.source,
        objective=chosen.objective,
        delta=None if math.isinf(best.objective.delta) else best.objective.delta,
        value=best.value,
        n=len(data),
        n_sizes=len(data.sizes),
        n_effective=noise.n_effective,
        params=params_of(fitted),
        starts=_starts(best),
        profiles=profiled,
        influences=influences,
        verdict="not-identified" if any(reason.level == "blocking" for reason in reasons) else "identified",
        reasons=(*data.notes, *reasons),
    )


def too_little(data: LossTable, law: Law) -> str:
    """Why a law cannot be fitted to a table: fewer than three sizes, or fewer points than parameters; else empty."""
    if len(data.sizes) < FEWEST_SIZES:
        sizes = f" ({' and '.join(f'{size:.4g}' for size in data.sizes)})" if len(data) else ""
        return f"only {len(data.sizes)} sizes{sizes}: no power of N can be fitted"
    if len(data) < len(law.names):
        return f"{len(data)} rows for the {len(law.names)} parameters of {law.name}"
    return ""


def fitted_law(
    data: LossTable,
    law: Law,
    *,
    delta: float | None = None,
    per_axis: int = PER_AXIS,
    draws: int = DRAWS,
    seed: int = 0,
) -> FittedLaw:
    """The law of a table with enough rows, for predictions alone: without profiles, influences and a verdict."""
    best = search(data, law, delta=delta, per_axis=per_axis)
    return _with_intervals(data, best, noise_of(best, data.run_number, data.own_error), draws, seed)


def _with_intervals(data: LossTable, best: Minimum, noise: Noise, draws: int, seed: int) -> FittedLaw:
    drawn = resample(best, noise, data.run_number, draws, seed)
    own_error = data.own_error if len(set(data.run)) < FEWEST_RUNS else 0.0
    log_residual = best.objective.log_y[0] - best.objective.terms.value(best.theta[None])[0]
    return FittedLaw(
        law=best.law.name,
        table_fitted=data,
        n_runs=len(set(data.run)),
        method=drawn.method,
        centre=best.centre,
        theta=best.theta,
        drawn=drawn.theta,
        noise=run_noise(
            log_residual, noise.n_effective, len(best.theta), data.seed_sd, float(data.seeds.mean()), own_error
        ),
    )


def params_of(fitted: FittedLaw) -> dict[str, Estimate]:
    """The parameters as published, with intervals over the resampled tables."""
    law = law_of(fitted.law)
    values, draws = (law.published(theta, fitted.centre) for theta in (fitted.theta[None], fitted.drawn))
    found = {}
    for name, value in values.items():
        low, high = np.quantile(draws[name], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        unit = "nats per token" if name == "E" else ""
        interval = (float(low), float(high)) if math.isfinite(high) else None
        reason = "" if interval else "unbounded: the law is flat in this variable for some resampled tables"
        found[name] = Estimate(float(value[0]), interval, reason, fitted.n_runs, "runs", unit, LEVEL, fitted.method)
    return found


def _starts(best: Minimum) -> Starts:
    reached = best.law.published(best.at_minimum, best.centre)
    return Starts(len(best.ends), len(best.at_minimum), {name: float(np.ptp(v)) for name, v in reached.items()})
