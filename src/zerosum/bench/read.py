"""Reads the finished runs of a bench into its results, as many as are there."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from zerosum.bench import bigram
from zerosum.bench.arms import differences, notes
from zerosum.bench.declaration import BASELINE, BIGRAM, HALF_RATE, PLACEBO
from zerosum.bench.facts import TrunkFacts, read_facts
from zerosum.bench.identity_file import read_identities
from zerosum.bench.known import KnownRun
from zerosum.bench.movement import is_measured, movement
from zerosum.bench.plan import Bench
from zerosum.bench.progress import (
    ArmProgress,
    Levels,
    Runs,
    SeedRuns,
    progress_of,
    tuning_results,
)
from zerosum.bench.results import (
    ArmKind,
    ArmResult,
    BenchResult,
    BenchSize,
    HorizonResult,
    IdentityCheck,
    RateResult,
    RunResult,
)
from zerosum.comparison.equal_loss import preset_levels
from zerosum.interference.labelled import Branches
from zerosum.runs import RunDirectory, branch_folders, ngrams_of, read_branches
from zerosum.sweep import SweptRun
from zerosum.training.cost import read_cost
from zerosum.training.metrics import read_rows
from zerosum.training.models import configuration, count_parameters
from zerosum.training.recipe import Recipe
from zerosum.training.run_folder import METRICS

_KINDS: dict[str, ArmKind] = {BASELINE: "baseline", PLACEBO: "placebo", HALF_RATE: "half-rate"}


def read_results(bench: Bench, runs: Runs | None = None) -> tuple[BenchResult, ...]:
    """The results at every size; runs that are not over are left out, and `complete` says whether any are."""
    states, identities = runs or Runs(bench), read_identities(bench)
    return tuple(_size(bench, size, identities, states) for size in bench.declaration.recipes)


def _size(bench: Bench, size: str, identities: Mapping[str, IdentityCheck], runs: Runs) -> BenchResult:
    declared, recipe = bench.declaration, bench.declaration.recipes[size]
    progress = progress_of(bench, size, runs)
    levels = levels_of(bench, size, progress[0], runs)
    tuned = progress[0].recipe or recipe
    arms = [_arm(bench, one, tuned, identities.get(one.arm), levels, runs) for one in progress]
    complete = all(_is_complete(one, arm, declared.seeds) for one, arm in zip(progress, arms, strict=True))
    baseline = arms[0]
    if BIGRAM in declared.null_arms and declared.measured:
        tables = tuple(table for _, table in tables_at(bench, size, levels))
        arms.append(ArmResult(BIGRAM, "bigram", {}, None, (), bigram.RATE, False, tables))
    return BenchResult(
        name=bench.folder.name,
        hash=declared.hash,
        size=BenchSize(
            size, count_parameters(recipe.model), int(getattr(configuration(recipe.model), "hidden_size", 0))
        ),
        baseline=baseline,
        arms=tuple(arms[1:]),
        margin=declared.margin,
        seeds=declared.seeds,
        horizon_steps=recipe.steps,
        tokens_per_step=recipe.batch.tokens,
        primary=declared.primary,
        horizons=tuple(_horizons(progress[0], runs)),
        ngrams=ngrams_at(progress[0], runs),
        final_tokens=max((runs.tokens(one.cooled) for one in progress[0].seeds), default=0),
        complete=complete,
    )


def levels_of(bench: Bench, size: str, baseline: ArmProgress, runs: Runs) -> Levels:
    """Losses between which movement is compared: as declared, or those of the baseline's best full tuning run.

    None where the baseline is not tuned yet, or its losses do not fall.
    """
    declared = bench.declaration
    if declared.levels is not None or not declared.measured:
        return declared.levels or ()
    if baseline.tuning is None or not math.isfinite(baseline.tuning.best):
        return ()
    recipe = bench.at(size, BASELINE, baseline.tuning.best)
    return levels_of_run(bench.tuning_run(recipe, declared.tuning_seeds[0], full=True), recipe.steps, runs)


def levels_of_run(run: SweptRun, horizon: int, runs: Runs) -> Levels:
    """Losses of a tuning run up to the horizon, between which movement is compared; empty where they do not fall."""
    if known := runs.known(run):
        return known.levels
    rows = [row for row in read_rows(run.folder / METRICS) if row.get("held_out_loss") is not None]
    rows = [row for row in rows if row["step"] <= horizon]
    if len(rows) < 2:
        return ()
    levels = preset_levels([float(row["step"]) for row in rows], [row["held_out_loss"] for row in rows])
    return levels if len(levels) > 1 else ()


def _arm(
    bench: Bench,
    progress: ArmProgress,
    baseline: Recipe,
    identity: IdentityCheck | None,
    levels: Levels,
    runs: Runs,
) -> ArmResult:
    """baseline: at its best rate, where it is tuned."""
    size, arm = progress.size, progress.arm
    declared = BASELINE if arm in (HALF_RATE, PLACEBO) else arm
    own = bench.recipe(size, declared)
    rates: list[RateResult] = []
    if progress.tuning is not None:
        results = tuning_results(bench, size, arm, progress.tuning.rates, runs)
        rates = [
            RateResult(lr, seed, loss, full)
            for (lr, full), by_seed in results.items()
            for seed, loss in by_seed.items()
        ]
    seeds = [seed_result(bench, seed, levels, runs) for seed in progress.seeds]
    settings: dict[str, Any] = differences(own, bench.recipe(size))
    if arm == PLACEBO:
        settings = {"order of the data": "another"}
    return ArmResult(
        name=_baseline_name(bench, own) if arm == BASELINE else arm,
        kind=_KINDS.get(arm, "arm"),
        settings=settings,
        identity=identity,
        rates=tuple(rates),
        best_lr=progress.recipe.optimizer.lr if progress.recipe else math.nan,
        at_edge=bool(progress.tuning and progress.tuning.at_edge),
        runs=tuple(run for run in seeds if run is not None),
        notes=notes(progress.recipe or bench.at(size, declared, own.optimizer.lr), baseline),
    )


def _baseline_name(bench: Bench, recipe: Recipe) -> str:
    """The kind of its optimizer, where no arm has that name."""
    kind = recipe.optimizer.kind
    return BASELINE if kind in bench.declaration.arms else kind


def seed_result(bench: Bench, one: SeedRuns, levels: Levels, runs: Runs) -> RunResult | None:
    """A reporting seed; None while its branch, or what is measured of its trunk, is not there.

    A result that is known without its runs has no movement where that was measured between other losses.
    """
    trunk, cooled = one.trunk, one.cooled
    if (known := runs.known(trunk)) and known.result:
        return _between(known.result, known, levels)
    if runs.state(trunk).diverged:
        return RunResult(one.seed, math.inf, verdict="diverged")
    facts = read_facts(trunk)
    if not runs.is_over(trunk) or not runs.has_loss(cooled) or facts is None:
        return None
    read = runs.results
    if (trunk.folder.name, levels) not in read:
        read[trunk.folder.name, levels] = _trunk_and_branch(bench, one, facts, levels, runs.loss(cooled))
    return read[trunk.folder.name, levels]


def _trunk_and_branch(bench: Bench, one: SeedRuns, facts: TrunkFacts, levels: Levels, loss: float) -> RunResult:
    trunk, cooled, measured = one.trunk, one.cooled, bench.declaration.measured
    costs = [(read_cost(run.folder), run.recipe.steps - run.recipe.first_step) for run in (trunk, cooled)]
    seconds = sum(cost.seconds / cost.updates * updates if cost.updates else math.nan for cost, updates in costs)
    updates = sum(updates for _, updates in costs)
    return RunResult(
        seed=one.seed,
        loss=loss,
        L_d=_number(facts.L_d),
        t_d=_number(facts.t_d),
        r_d=_number(facts.r_d),
        verdict=facts.verdict,
        movement=movement(trunk, measured, levels) if levels and is_measured(trunk, measured) else {},
        systematic_share=_systematic_share(trunk.folder),
        conflict_rate=_number(facts.conflict_rate),
        tokens=cooled.recipe.tokens_seen(cooled.recipe.steps),
        flops=float(facts.flops) * updates,
        seconds=seconds,
        peak_memory=max(cost.peak_memory for cost, _ in costs),
        weights=facts.weights,
        batches=facts.batches,
        held_out=facts.held_out,
        curve=facts.curve,
    )


def _systematic_share(trunk: Path) -> float:
    """Of the last branches that were measured on other orders of the data, with `zerosum branch`; NaN without."""
    folders = branch_folders(RunDirectory(trunk))
    if not folders:
        return math.nan
    branches: Branches = read_branches(folders[-1])
    return float(branches.whole.systematic_share.value)


def _horizons(baseline: ArmProgress, runs: Runs) -> list[HorizonResult]:
    """Losses of the cooled baseline; infinite also where the trunk diverged on the way there."""
    found = []
    for one in baseline.seeds:
        trunk, longer = (run is not None and runs.state(run).diverged for run in (one.trunk, one.extension))
        for multiple, run in one.horizons.items():
            loss = math.inf if trunk or (longer and multiple > 1) else runs.loss(run)
            if not math.isnan(loss):
                found.append(HorizonResult(multiple, one.seed, run.recipe.tokens_seen(run.recipe.steps), loss))
    return found


def ngrams_at(baseline: ArmProgress, runs: Runs) -> Mapping[str, float]:
    """Losses of n-gram models of the text; none where they are not measured."""
    for one in baseline.seeds:
        if known := runs.known(one.trunk):
            return known.ngrams
        ladder = ngrams_of(one.trunk.folder) if one.trunk.folder.is_dir() else None
        if ladder is not None:
            return {rung.model: float(rung.loss.value) for rung in ladder.rungs}
    return {}


def tables_at(bench: Bench, size: str, levels: Levels) -> Iterator[tuple[str, RunResult]]:
    """Tables of bigrams that are there, or known, with their names."""
    declared, recipe = bench.declaration, bench.declaration.recipes[size]
    if BIGRAM not in declared.null_arms or not declared.measured:
        return
    measured = bigram.measured_in(bench, recipe)
    for seed in declared.seeds:
        own = recipe.model_copy(update={"seed": seed})
        file = bigram.file_of(bench.pool, own, measured)
        if file.is_file():
            yield file.stem, bigram.read_table(file, own, list(levels))
        elif (known := bench.known.get(file.stem)) and known.result:
            yield file.stem, _between(known.result, known, levels)


def _between(result: RunResult, known: KnownRun, levels: Levels) -> RunResult:
    return result if known.levels == levels else replace(result, movement={})


def _is_complete(progress: ArmProgress, arm: ArmResult, seeds: Sequence[int]) -> bool:
    nothing_left = progress.recipe is not None and not (progress.needed or progress.unmeasured)
    return nothing_left and {run.seed for run in arm.runs} == set(seeds)


def _number(value: float | None) -> float:
    return math.nan if value is None else value
