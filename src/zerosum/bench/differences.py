"""Every measure of every arm against the baseline, seed by seed: numbers of runs, terms of the loss, movement."""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from zerosum.bench.answer_record import MovementDifference
from zerosum.bench.measures import NATS, BySeed, measures, terms
from zerosum.bench.results import RAW, ArmResult, BenchResult, RunResult
from zerosum.comparison import PairedDifference, paired_differences

PER_NAT = "nats moved per nat gained"
Levels = tuple[float, float]
Differences = dict[str, PairedDifference]


def differences(result: BenchResult) -> dict[str, Differences]:
    """Arm -> measure -> difference. p holds for all competing arms together; a null arm is tested alone."""
    found: dict[str, Differences] = {arm.name: {} for arm in result.arms}
    for family in families(result.arms):
        for measure in measures(result):
            pairs = {arm.name: (measure.by_seed(result.baseline), paired(arm, result, measure.of)) for arm in family}
            for name, difference in paired_differences(pairs, measure.unit).items():
                found[name][measure.name] = difference
        split = {arm.name: terms(arm, result.baseline, result.horizon_steps) for arm in family}
        for term in ("loss_by_L_d", "loss_by_t_d", "loss_by_r_d"):
            parts = {name: of_arm[term] for name, of_arm in split.items()}
            pairs = {name: (dict.fromkeys(part, 0.0), part) for name, part in parts.items()}
            for name, difference in paired_differences(pairs, NATS).items():
                found[name][term] = difference
    return found


def families(arms: Iterable[ArmResult]) -> list[list[ArmResult]]:
    """Arms that are tested together: those that compete; every null arm is alone."""
    competing = [arm for arm in arms if arm.kind == "arm"]
    return [*([competing] if competing else []), *([arm] for arm in arms if arm.kind != "arm")]


def unpaired_seeds(arm: ArmResult, baseline: ArmResult) -> set[int]:
    """Seeds whose runs do not share initial weights, held-out tokens or, the placebo apart, batches.

    A run that diverged is not among them: it has no value to pair, and counts as diverged.
    """
    shared = ("weights", "held_out") if arm.kind == "placebo" else ("weights", "batches", "held_out")
    of_baseline: Mapping[int, RunResult] = {run.seed: run for run in baseline.runs}
    pairs = [(run, of_baseline[run.seed]) for run in arm.runs if run.seed in of_baseline]
    ended = [(a, b) for a, b in pairs if not (math.isinf(a.loss) or math.isinf(b.loss))]
    return {a.seed for a, b in ended if any(getattr(a, name) != getattr(b, name) for name in shared)}


def paired(arm: ArmResult, result: BenchResult, of: Callable[[RunResult], float]) -> BySeed:
    """A number of the runs of an arm by seed, NaN where the two runs of a seed are no pair."""
    unpaired = unpaired_seeds(arm, result.baseline)
    return {run.seed: math.nan if run.seed in unpaired else of(run) for run in arm.runs}


def movement(result: BenchResult) -> dict[str, tuple[MovementDifference, ...]]:
    """Arm -> differences over equal-loss intervals: on averaged weights, then raw; of each first the main interval."""
    found: dict[str, list[MovementDifference]] = {arm.name: [] for arm in result.arms}
    for weights in weights_measured(result):
        for family in families(result.arms):
            common = {arm.name: _common(arm, result.baseline, weights) for arm in family}
            for place in range(max(map(len, common.values()))):
                chosen = [(arm, common[arm.name][place]) for arm in family if place < len(common[arm.name])]
                M, D = (_over(result, chosen, weights, number) for number in ("per_nat", "D"))
                for arm, ends in chosen:
                    found[arm.name].append(MovementDifference(weights, *ends, M[arm.name], D[arm.name], place == 0))
    return {name: tuple(over) for name, over in found.items()}


def weights_measured(result: BenchResult) -> list[str]:
    """Names of the weights on which movement was measured: averages first, then raw."""
    runs = [run for arm in (result.baseline, *result.arms) for run in arm.runs]
    names = list(dict.fromkeys(name for run in runs for name in run.movement))
    return sorted(names, key=lambda name: name == RAW)


def _common(arm: ArmResult, baseline: ArmResult, weights: str) -> list[Levels]:
    """The main interval, then those between neighbouring presets, that every measured run of both crosses.

    The main interval is the wide one with the lowest end, of the loss that both reach: the last tenth or so of it.
    """
    measured = [run.movement[weights] for run in (*arm.runs, *baseline.runs) if weights in run.movement]
    if arm.kind == "bigram" or not measured:
        return []
    wide = [{(one.L_a, one.L_b) for one in run.wide} for run in measured]
    parts = [{(one.L_a, one.L_b) for one in run.parts} for run in measured]
    widest = sorted(set.intersection(*wide), key=lambda ends: ends[1])[:1]
    return [*widest, *sorted(set.intersection(*parts), reverse=True)] if widest else []


def _over(result: BenchResult, chosen: Iterable[tuple[ArmResult, Levels]], weights: str, number: str) -> Differences:
    """Differences of M per nat, or D, each arm over its interval."""
    pairs = {}
    for arm, ends in chosen:
        of = partial(_number, weights=weights, ends=ends, number=number)
        pairs[arm.name] = ({run.seed: of(run) for run in result.baseline.runs}, paired(arm, result, of))
    return paired_differences(pairs, PER_NAT if number == "per_nat" else "")


def _number(run: RunResult, weights: str, ends: Levels, number: str) -> float:
    over = run.movement[weights].over(*ends) if weights in run.movement else None
    return math.nan if over is None else float(getattr(over, number))
