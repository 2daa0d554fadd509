"""From the runs of a bench to its answer: paired differences, verdicts, tuning, speed-up, costs, and what size does."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from zerosum.bench.answer_record import (
    COSTS,
    ArmAnswer,
    BaselineAnswer,
    BenchAnswer,
    MovementDifference,
    OverSizes,
    RatePoint,
    SizeAnswer,
    Tuning,
)
from zerosum.bench.differences import differences, movement, paired
from zerosum.bench.measures import measures
from zerosum.bench.results import RAW, ArmResult, BenchResult
from zerosum.bench.verdicts import judge, of_null_arms
from zerosum.comparison import (
    PairedDifference,
    best_between,
    gain_slope,
    paired_differences,
    rate_sensitivity,
    rate_slope,
    speed_up,
)
from zerosum.errors import InputError
from zerosum.estimate import Estimate
from zerosum.interference import over_repeats


def answer(results: Sequence[BenchResult]) -> BenchAnswer:
    """The answer of a bench at each of its sizes, rising in parameters.

    Raises InputError without results, and for a primary measure other than the loss.
    """
    if not results:
        raise InputError("bench: no results. Run it first.")
    if other := next((one.primary for one in results if one.primary != "loss"), None):
        raise InputError(f"primary {other!r}: verdicts are given of the loss. Write primary: loss.")
    sizes = tuple(_size(one) for one in sorted(results, key=lambda one: one.size.n_params))
    return BenchAnswer(results[0].name, sizes, tuple(_over_sizes(sizes)) if len(sizes) > 1 else ())


def _size(result: BenchResult) -> SizeAnswer:
    found, moved = differences(result), movement(result)
    answers = tuple(_arm(arm, result, found[arm.name], moved[arm.name]) for arm in result.arms)
    numbers = {
        one.name: over_repeats(list(one.by_seed(result.baseline).values()), "seeds", one.unit)
        for one in measures(result)
    }
    baseline = BaselineAnswer(result.baseline, _tuning(result.baseline, result), numbers, _cost(result.baseline))
    return SizeAnswer(result, baseline, answers, tuple(of_null_arms(answers)))


def _arm(
    arm: ArmResult,
    result: BenchResult,
    found: Mapping[str, PairedDifference],
    moved: tuple[MovementDifference, ...],
) -> ArmAnswer:
    together = sum(one.kind == "arm" for one in result.arms) if arm.kind == "arm" else 1
    verdict, reasons, needed = judge(arm, result, found, together)
    compared = arm.kind != "bigram"
    horizons: dict[float, dict[int, float]] = defaultdict(dict)
    for one in result.horizons:
        horizons[one.multiple][one.seed] = one.loss
    return ArmAnswer(
        result=arm,
        verdict=verdict if compared else None,
        reasons=reasons if compared else (),
        tuning=_tuning(arm, result),
        differences={**found, **_main_movement(moved)},
        movement=moved,
        speed_up=speed_up(paired(arm, result, lambda run: run.loss), horizons),
        cost=_cost(arm),
        flops_ratio=_flops_ratio(arm, result.baseline),
        needed=needed,
    )


def _main_movement(moved: Iterable[MovementDifference]) -> dict[str, PairedDifference]:
    """M per nat and D over the main equal-loss interval: on averaged weights, where measured, and raw."""
    nothing = paired_differences({"": ({}, {})})[""]
    main = {("_raw" if one.weights == RAW else ""): one for one in reversed([*moved]) if one.main}
    averaged, raw = main.get(""), main.get("_raw")
    return {
        "M_equal_loss": averaged.M if averaged else nothing,
        "D_equal_loss": averaged.D if averaged else nothing,
        **({"M_equal_loss_raw": raw.M, "D_equal_loss_raw": raw.D} if raw else {}),
    }


def _tuning(arm: ArmResult, result: BenchResult) -> Tuning:
    by_rate: dict[tuple[float, bool], list[float]] = defaultdict(list)
    for one in arm.rates:
        if not math.isnan(one.loss):
            by_rate[one.lr, one.full].append(one.loss)
    points = tuple(
        RatePoint(lr, float(np.mean(by_rate[lr, full])), len(by_rate[lr, full]), full) for lr, full in sorted(by_rate)
    )
    grids = [{point.lr: point.loss for point in points if point.full is full} for full in (False, True)]
    grid = max(grids, key=len)
    highest = result.ngrams.get("unigram", math.nan)
    return Tuning(points, arm.best_lr, best_between(grid), arm.at_edge, rate_sensitivity(grid, arm.best_lr, highest))


def _cost(arm: ArmResult) -> dict[str, float]:
    """Means over the runs that did not diverge: a run that ended early says nothing about cost."""
    runs = [run for run in arm.runs if not math.isinf(run.loss)]
    return {name: float(np.mean([getattr(run, name) for run in runs])) if runs else math.nan for name in COSTS}


def _flops_ratio(arm: ArmResult, baseline: ArmResult) -> float:
    of_arm, of_baseline = _cost(arm), _cost(baseline)
    below = of_arm["tokens"] * of_baseline["flops"]
    ratio = of_arm["flops"] * of_baseline["tokens"] / below if below > 0 else math.nan
    return ratio if ratio > 0 else math.nan


def _over_sizes(sizes: Sequence[SizeAnswer]) -> Iterable[OverSizes]:
    """The baseline, then every competing arm that is there at each size."""
    yield OverSizes(
        sizes[0].baseline.result.name, None, rate_slope(_rates([(size, size.baseline.tuning) for size in sizes]))
    )
    for name in (arm.name for arm in sizes[0].arms if arm.result.kind == "arm"):
        at = [(size, arm) for size in sizes for arm in size.arms if arm.name == name]
        losses = {float(size.result.size.n_params): arm.differences["loss"] for size, arm in at}
        yield OverSizes(name, _gain(losses), rate_slope(_rates([(size, arm.tuning) for size, arm in at])))


def _gain(losses: Mapping[float, PairedDifference]) -> Estimate:
    """How the difference in loss changes with size, of the sizes that have pairs; not known where a run diverged."""
    unit = "nats per token per e-fold of N"
    if lost := next((d for d in losses.values() if d.n_diverged or d.n_baseline_diverged), None):
        return Estimate(math.nan, reason=lost.mean.reason, N=lost.n, of="seeds", unit=unit)
    gains = {N: dict(zip(d.seeds, d.differences, strict=True)) for N, d in losses.items() if d.seeds}
    return gain_slope(gains, unit)


def _rates(tunings: Iterable[tuple[SizeAnswer, Tuning]]) -> dict[float, float]:
    """Width -> best rate, where an arm is tuned and its best rate lies inside the rates tried."""
    return {
        float(size.result.size.width): tuning.best_between
        for size, tuning in tunings
        if math.isfinite(tuning.best_between) and not tuning.at_edge
    }
