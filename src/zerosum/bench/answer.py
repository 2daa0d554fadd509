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
from zerosum.bench.measures import PER_NAT, BySeed, average_of, measures, part, terms
from zerosum.bench.results import RAW, ArmResult, BenchResult
from zerosum.bench.verdicts import judge, of_null_arms, unpaired_seeds
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
from zerosum.interference import over_repeats

Levels = tuple[float, float]


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
    differences = _differences(result)
    movement = _movement(result)
    answers = tuple(_arm(arm, result, differences[arm.name], movement[arm.name]) for arm in result.arms)
    numbers = {
        one.name: over_repeats(list(one.by_seed(result.baseline).values()), "seeds", one.unit)
        for one in measures(result)
    }
    baseline = BaselineAnswer(result.baseline, _tuning(result.baseline, result), numbers, _cost(result.baseline))
    return SizeAnswer(result, baseline, answers, tuple(of_null_arms(answers)))


def _arm(
    arm: ArmResult,
    result: BenchResult,
    differences: Mapping[str, PairedDifference],
    movement: tuple[MovementDifference, ...],
) -> ArmAnswer:
    together = sum(one.kind == "arm" for one in result.arms) if arm.kind == "arm" else 1
    verdict, reasons, needed = judge(arm, result, differences, together)
    compared = arm.kind != "bigram"
    horizons: dict[float, dict[int, float]] = defaultdict(dict)
    for one in result.horizons:
        horizons[one.multiple][one.seed] = one.loss
    return ArmAnswer(
        result=arm,
        verdict=verdict if compared else None,
        reasons=reasons if compared else (),
        tuning=_tuning(arm, result),
        differences=differences,
        movement=movement,
        speed_up=speed_up(_paired(arm, result, {run.seed: run.loss for run in arm.runs}), horizons),
        cost=_cost(arm),
        needed=needed,
    )


def _differences(result: BenchResult) -> dict[str, dict[str, PairedDifference]]:
    """Arm -> measure -> difference. p holds for all arms together; null arms are judged alone."""
    found: dict[str, dict[str, PairedDifference]] = {arm.name: {} for arm in result.arms}
    families = _families(result.arms)
    for measure in measures(result):
        baseline = measure.by_seed(result.baseline)
        for family in families:
            values = {arm.name: _paired(arm, result, measure.by_seed(arm)) for arm in family}
            for name, difference in paired_differences(baseline, values, measure.unit).items():
                found[name][measure.name] = difference
    for family in families:
        parts = {arm.name: terms(arm, result.baseline, result.horizon_steps) for arm in family}
        for term in next(iter(parts.values())):
            values = {arm.name: _paired(arm, result, parts[arm.name][term]) for arm in family}
            zero: BySeed = dict.fromkeys((run.seed for run in result.baseline.runs), 0.0)
            for name, difference in paired_differences(zero, values, "nats per token").items():
                found[name][term] = difference
    return found


def _families(arms: Iterable[ArmResult]) -> list[list[ArmResult]]:
    """Arms that are tested together: those that compete; every null arm is alone."""
    competing = [arm for arm in arms if arm.kind == "arm"]
    return [*([competing] if competing else []), *([arm] for arm in arms if arm.kind != "arm")]


def _paired(arm: ArmResult, result: BenchResult, values: BySeed) -> BySeed:
    """Without the seeds that are no pairs."""
    unpaired = unpaired_seeds(arm, result.baseline)
    return {seed: value for seed, value in values.items() if seed not in unpaired}


def _movement(result: BenchResult) -> dict[str, tuple[MovementDifference, ...]]:
    """Arm -> difference over each equal-loss interval, on averaged weights first."""
    found: dict[str, list[MovementDifference]] = {arm.name: [] for arm in result.arms}
    runs = [run for arm in (result.baseline, *result.arms) for run in arm.runs]
    for weights in filter(None, (average_of(runs), RAW)):
        for ends in _intervals(result, weights):
            for family in _families(result.arms):
                of_M, of_D = (_over(result, family, weights, ends, name) for name in ("per_nat", "D"))
                for arm in family:
                    found[arm.name].append(MovementDifference(weights, *ends, of_M[arm.name], of_D[arm.name]))
    return {name: tuple(differences) for name, differences in found.items()}


def _intervals(result: BenchResult, weights: str) -> list[Levels]:
    """Intervals between preset losses that the baseline has, from high to low, then the whole."""
    measured = [run.movement[weights] for run in result.baseline.runs if weights in run.movement]
    if not measured:
        return []
    all_parts = (*measured[0].parts, measured[0].whole)
    return list(dict.fromkeys((one.L_a, one.L_b) for one in all_parts))


def _over(
    result: BenchResult, family: Sequence[ArmResult], weights: str, ends: Levels, number: str
) -> dict[str, PairedDifference]:
    def by_seed(arm: ArmResult) -> BySeed:
        parts = {run.seed: part(run, weights, *ends) for run in arm.runs}
        return {seed: math.nan if one is None else float(getattr(one, number)) for seed, one in parts.items()}

    values = {arm.name: _paired(arm, result, by_seed(arm)) for arm in family}
    return paired_differences(by_seed(result.baseline), values, PER_NAT if number == "per_nat" else "")


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
    return Tuning(
        points, arm.best_lr, best_between(grid, arm.best_lr), arm.at_edge, rate_sensitivity(grid, arm.best_lr, highest)
    )


def _cost(arm: ArmResult) -> dict[str, float]:
    return {name: float(np.mean([getattr(run, name) for run in arm.runs])) if arm.runs else math.nan for name in COSTS}


def _over_sizes(sizes: Sequence[SizeAnswer]) -> Iterable[OverSizes]:
    """The baseline, then every competing arm that is there at each size."""
    yield OverSizes(
        sizes[0].baseline.result.name, None, rate_slope(_rates([(size, size.baseline.tuning) for size in sizes]))
    )
    for name in (arm.name for arm in sizes[0].arms if arm.result.kind == "arm"):
        at = [(size, arm) for size in sizes for arm in size.arms if arm.name == name]
        gains = {
            float(size.result.size.n_params): dict(zip(d.seeds, d.differences, strict=True))
            for size, arm in at
            for d in [arm.differences["loss"]]
        }
        yield OverSizes(
            name,
            gain_slope(gains, "nats per token per e-fold of N"),
            rate_slope(_rates([(size, arm.tuning) for size, arm in at])),
        )


def _rates(tunings: Iterable[tuple[SizeAnswer, Tuning]]) -> dict[float, float]:
    """Width -> best rate, where the best rate lies inside the rates tried."""
    return {float(size.result.size.width): tuning.best_between for size, tuning in tunings if not tuning.at_edge}
