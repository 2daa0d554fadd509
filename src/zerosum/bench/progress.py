"""How far a bench is: the results of its runs, and the runs that are needed next. Loads no torch.

Everything is read from the pool at each call, so that a bench that was stopped at any moment goes on, and a run that is
there is never trained again.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from zerosum.bench.declaration import BASELINE, BIGRAM, HALF_RATE, PLACEBO
from zerosum.bench.final_loss import FinalLoss, read_final_loss
from zerosum.bench.known import KnownRun
from zerosum.bench.plan import Bench
from zerosum.bench.results import RunResult
from zerosum.bench.tuning import Tuning, tune
from zerosum.sweep import RunState, SweptRun, state_of
from zerosum.training.recipe import Recipe

Levels = tuple[float, ...]


@dataclass(frozen=True)
class SeedRuns:
    """The runs of a reporting seed. trunk: at constant rate; cooled: its branch at the horizon.

    horizons: branches of the baseline by multiple of the horizon, that at 1 included, for the speed-up. extension: the
    trunk beyond the horizon, from which those above 1 branch.
    """

    seed: int
    trunk: SweptRun
    cooled: SweptRun
    horizons: dict[float, SweptRun] = field(default_factory=dict)
    extension: SweptRun | None = None

    @property
    def in_order(self) -> list[tuple[SweptRun, SweptRun | None]]:
        """Every run with the run that it branches from; None for the trunk, which comes first."""
        runs: list[tuple[SweptRun, SweptRun | None]] = [(self.trunk, None), (self.cooled, self.trunk)]
        if self.extension:
            runs.append((self.extension, self.trunk))
        for multiple, run in self.horizons.items():
            if multiple != 1:
                runs.append((run, self.extension if self.extension and multiple > 1 else self.trunk))
        return runs

    @property
    def compared(self) -> list[SweptRun]:
        """Runs whose final losses count."""
        return [self.cooled, *(run for multiple, run in self.horizons.items() if multiple != 1)]


class Runs:
    """States and final losses of runs, read once for each; `refresh` reads them again.

    results: of trunks with their branches that were read, by name and the losses between which movement is measured.
    """

    def __init__(self, bench: Bench):
        self._bench, self._states, self._losses = bench, dict[str, RunState](), dict[str, FinalLoss]()
        self.results: dict[tuple[str, Levels], RunResult] = {}

    def refresh(self) -> None:
        """Forget the states of runs that are not done."""
        self._states = {name: state for name, state in self._states.items() if self._is_over(state)}

    def state(self, run: SweptRun) -> RunState:
        """How far a run is."""
        name = run.folder.name
        if name not in self._states:
            self._states[name] = state_of(self._bench.plan([]), run)
        return self._states[name]

    @staticmethod
    def _is_over(state: RunState) -> bool:
        return state.state == "done" or state.diverged

    def is_over(self, run: SweptRun) -> bool:
        """Whether the run is done, or diverged."""
        return self._is_over(self.state(run))

    def known(self, run: SweptRun) -> KnownRun | None:
        """Its result from elsewhere, where the run is not over here."""
        found = self._bench.known.get(run.folder.name)
        return None if found is None or self.is_over(run) else found

    def loss(self, run: SweptRun) -> float:
        """Final loss: infinite where the run diverged, NaN where it is not over, or not measured yet."""
        if known := self.known(run):
            return known.loss
        if self.state(run).diverged:
            return math.inf
        found = self._final_loss(run)
        return math.nan if found is None else found.loss

    def has_loss(self, run: SweptRun) -> bool:
        """Whether the final loss of the run is known; it is infinite where the run diverged."""
        return not math.isnan(self.loss(run))

    def tokens(self, run: SweptRun) -> int:
        """Held-out tokens of the final loss; 0 where it is not measured."""
        if known := self.known(run):
            return known.tokens
        found = self._final_loss(run)
        return 0 if found is None else found.tokens

    def _final_loss(self, run: SweptRun) -> FinalLoss | None:
        name = run.folder.name
        if name not in self._losses:
            is_done, most = self.state(run).state == "done", self._bench.declaration.final_held_out
            if (found := read_final_loss(run, most) if is_done else None) is None:
                return None
            self._losses[name] = found
        return self._losses[name]


@dataclass(frozen=True)
class ArmProgress:
    """An arm of a size: its tuning, the recipe at its best rate and the runs of its seeds, and what is needed next.

    recipe: None while it is being tuned. needed: runs that can be trained now, in order. unmeasured: runs that are
    over, whose final loss is not known yet.
    """

    size: str
    arm: str
    tuning: Tuning | None
    recipe: Recipe | None
    seeds: tuple[SeedRuns, ...]
    needed: tuple[SweptRun, ...] = ()
    unmeasured: tuple[SweptRun, ...] = ()


def progress_of(bench: Bench, size: str, runs: Runs) -> list[ArmProgress]:
    """Every arm of a size that is trained by recipes: the baseline first, then the arms, then null arms."""
    baseline = _tuned_arm(bench, size, BASELINE, runs)
    arms = [_tuned_arm(bench, size, arm, runs) for arm in bench.declaration.arms]
    return [baseline, *arms, *_null_arms(bench, size, baseline, runs)]


def tuning_results(
    bench: Bench, size: str, arm: str, rates: tuple[float, ...], runs: Runs
) -> dict[tuple[float, bool], dict[int, float]]:
    """Losses of the tuning runs that are over, by (rate, full) and tuning seed; only where all seeds are."""
    results: dict[tuple[float, bool], dict[int, float]] = {}
    for rate in rates:
        recipe = bench.at(size, arm, rate)
        for full in (False, True):
            losses = {seed: runs.loss(bench.tuning_run(recipe, seed, full)) for seed in bench.declaration.tuning_seeds}
            if not any(math.isnan(loss) for loss in losses.values()):
                results[rate, full] = losses
    return results


def _tuned_arm(bench: Bench, size: str, arm: str, runs: Runs) -> ArmProgress:
    declared = bench.declaration
    center = bench.recipe(size, arm).optimizer.lr
    rates: tuple[float, ...] = ()
    while True:
        results = tuning_results(bench, size, arm, rates, runs)
        means = {key: sum(losses.values()) / len(losses) for key, losses in results.items()}
        tuning = tune(center, declared.rates, declared.finalists, means)
        if set(tuning.rates) <= set(rates):
            break
        rates = tuning.rates
    if tuning.needed:
        wanted = [
            bench.tuning_run(bench.at(size, arm, rate), seed, full)
            for rate, full in tuning.needed
            for seed in declared.tuning_seeds
        ]
        needed = tuple(run for run in wanted if not (runs.is_over(run) or runs.has_loss(run)))
        return ArmProgress(size, arm, tuning, None, (), needed, _unmeasured(wanted, runs))
    recipe = bench.at(size, arm, tuning.best)
    trunks = {seed: bench.trunk(recipe, seed) for seed in declared.seeds}
    reported = _reported(bench, size, arm, tuning, recipe, trunks, runs)
    if arm == BASELINE and (run := _without_levels(bench, recipe, runs)):
        return replace(reported, needed=(run, *reported.needed))
    return reported


def _without_levels(bench: Bench, best: Recipe, runs: Runs) -> SweptRun | None:
    """The run from which the levels would follow, where it is known without them: it was no baseline's best there."""
    declared = bench.declaration
    run = bench.tuning_run(best, declared.tuning_seeds[0], full=True)
    if declared.levels is not None or not declared.measured or (known := runs.known(run)) is None:
        return None
    return None if known.levels or math.isinf(known.loss) else run


def _null_arms(bench: Bench, size: str, baseline: ArmProgress, runs: Runs) -> list[ArmProgress]:
    """The placebo and the half rate; they wait for the baseline."""
    asked = [name for name in bench.declaration.null_arms if name != BIGRAM]
    if baseline.tuning is None or baseline.recipe is None:
        return [ArmProgress(size, name, None, None, ()) for name in asked]
    arms = []
    for name in asked:
        if name == HALF_RATE:
            recipe = bench.at(size, BASELINE, baseline.tuning.best / 2)
            trunks = {seed: bench.trunk(recipe, seed) for seed in bench.declaration.seeds}
        else:
            recipe = baseline.recipe
            placebos = [(one, bench.placebo(one.trunk)) for one in baseline.seeds]
            trunks = {one.seed: run for one, run in placebos if runs.is_over(one.trunk) or runs.known(run)}
        arms.append(_reported(bench, size, name, None, recipe, trunks, runs))
    return arms


def _reported(
    bench: Bench,
    size: str,
    arm: str,
    tuning: Tuning | None,
    recipe: Recipe,
    trunks: dict[int, SweptRun],
    runs: Runs,
) -> ArmProgress:
    """The runs of the reporting seeds, and those that can be trained now: a branch waits for the run it continues."""
    seeds = tuple(_seed_runs(bench, seed, trunk, arm == BASELINE) for seed, trunk in trunks.items())
    needed = tuple(
        run
        for one in seeds
        if not _is_known(bench, one, arm == BASELINE, runs)
        for run, source in one.in_order
        if not runs.is_over(run) and (source is None or runs.state(source).state == "done")
    )
    compared = [run for one in seeds for run in one.compared]
    return ArmProgress(size, arm, tuning, recipe, seeds, needed, _unmeasured(compared, runs))


def _is_known(bench: Bench, one: SeedRuns, is_baseline: bool, runs: Runs) -> bool:
    """Whether every result of a seed is known without its runs, also that of the placebo that branches from it."""
    if (trunk := runs.known(one.trunk)) is None or trunk.result is None:
        return False
    if math.isinf(trunk.result.loss):
        return True
    if is_baseline and PLACEBO in bench.declaration.null_arms:
        placebo = bench.placebo(one.trunk)
        if not (runs.known(placebo) or runs.is_over(placebo)):
            return False
    return all(runs.has_loss(run) for run in one.compared)


def _unmeasured(wanted: Iterable[SweptRun], runs: Runs) -> tuple[SweptRun, ...]:
    return tuple(run for run in wanted if runs.is_over(run) and not runs.has_loss(run))


def _seed_runs(bench: Bench, seed: int, trunk: SweptRun, is_baseline: bool) -> SeedRuns:
    steps, multiples = trunk.recipe.steps, bench.declaration.speed_up
    cooled = bench.cooled(trunk, steps)
    if not (is_baseline and multiples):
        return SeedRuns(seed, trunk, cooled)
    extension = bench.extension(trunk, max(multiples)) if max(multiples) > 1 else None
    horizons = {
        multiple: cooled
        if multiple == 1
        else bench.cooled(extension if extension and multiple > 1 else trunk, round(multiple * steps))
        for multiple in multiples
    }
    return SeedRuns(seed, trunk, cooled, horizons, extension)
