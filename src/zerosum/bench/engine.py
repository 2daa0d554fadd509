"""Runs a bench to its end, here or as jobs of SLURM.

Whenever a process is free, `progress` says what is needed next from what is there, so that no process waits for others
without need and a bench continues where it was stopped.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from time import sleep
from typing import Any

from zerosum.bench import bigram
from zerosum.bench.declaration import BASELINE, BIGRAM
from zerosum.bench.final_loss import measure_final_loss
from zerosum.bench.identity import check_identity
from zerosum.bench.identity_file import read_identities, write_identities
from zerosum.bench.movement import is_measured, measure
from zerosum.bench.plan import Bench
from zerosum.bench.progress import ArmProgress, Runs, progress_of
from zerosum.bench.reading import require_own_folder, write_declaration
from zerosum.bench.results import IdentityCheck
from zerosum.errors import InputError
from zerosum.sweep import Plan, RunState, SweptRun
from zerosum.sweep.status import note_failure
from zerosum.sweep.work import train_one
from zerosum.training import side_by_side
from zerosum.training.disk import bytes_to_come, require_free
from zerosum.training.notices import Notice, Tell

Show = Callable[..., None]
Work = tuple[Any, ...]
"""A function of this module and its arguments, but for the last, which reports how far it is."""
_REMEDY = "What is done stays: the same command goes on."
_LOOK = 2.0  # seconds between looks at runs of another process
_PRELOADED = ("zerosum.training.loop", "zerosum.losses", "zerosum.checkpoints", "zerosum.bench.movement")


def identities_of(bench: Bench) -> dict[str, IdentityCheck]:
    """The identity gate for every arm, at the first size. Once it is passed, the declaration and the checks are written
    into the bench's folder.

    Raises InputError where the folder is another bench's, where an arm does not pass, and where its package is missing.
    """
    require_own_folder(bench.declaration, bench.folder)
    if known := read_identities(bench):
        return known
    size = next(iter(bench.declaration.recipes))
    checks = {}
    for arm in bench.declaration.arms:
        try:
            checks[arm] = check_identity(arm, bench.recipe(size, arm), bench.recipe(size))
        except InputError as error:
            if str(error).startswith(f"arm {arm}:"):
                raise
            raise InputError(f"arm {arm}: {error}") from error
    write_declaration(bench.declaration, bench.folder)
    write_identities(bench, checks)
    return checks


def run_here(bench: Bench, jobs: int | None, show: Show, tell: Tell) -> Runs:
    """Train and measure on this machine, `jobs` runs at a time, until the bench is complete.

    A run that another bench trains in the same pool is waited for. show: called as (name, total, done, note). Raises
    InputError where a run fails for another reason than divergence; runs that train at that moment are finished first.
    """
    identities_of(bench)
    runs = Runs(bench)
    while True:
        given: dict[str, SweptRun | None] = {}
        _side_by_side(_work_to_do(bench, runs, given), jobs, show, tell)
        runs.refresh()
        if failure := _failure(given, runs):
            raise InputError(failure)
        if (run := next(next_runs(bench, runs), None)) is None:
            return runs
        show(run.folder.name, run.recipe.steps, runs.state(run).step, "trained by another process")
        sleep(_LOOK)
        runs.refresh()


def _side_by_side(work: Iterable[Work | None], jobs: int | None, show: Show, tell: Tell) -> None:
    """Do all work, `jobs` at a time (None: one for each core)."""

    def receive(number: int, *news: Any) -> None:
        if isinstance(news[0], Notice):
            tell(news[0])
        else:
            show(*news)

    side_by_side(_call, work, workers=jobs, on_report=receive, modules=_PRELOADED)


def _work_to_do(bench: Bench, runs: Runs, given: dict[str, SweptRun | None]) -> Iterator[Work | None]:
    """The next work, asked for whenever a process is free; None where it waits for work that is being done.

    given: filled with the name of all work that was given, and its run where one is trained. Ends at a failure.
    """
    measured: set[str] = set()
    while not _failure(given, runs):
        chosen = next((one for one in _all_work(bench, runs, measured) if one[0] not in given), None)
        if chosen is None:
            yield None
        else:
            name, run, work = chosen
            if run is not None:
                require_free(bench.pool, bytes_to_come(run.recipe, run.folder), _REMEDY)
                note_failure(bench.plan([]), run, None)
            given[name] = run
            yield work
        runs.refresh()


def _all_work(bench: Bench, runs: Runs, measured: set[str]) -> Iterator[tuple[str, SweptRun | None, Work]]:
    """Everything that can be done now, with its name: what is to be measured, runs to train, then tables of bigrams.

    measured: names of trunks that are known to be measured.
    """
    declared, every = bench.declaration, list(_all(bench, runs))
    for run in _once(run for progress in every for run in progress.unmeasured):
        yield f"final loss {run.folder.name}", None, (_measure_final_loss, run, declared.final_held_out)
    for trunk in _trunks_to_measure(bench, every, runs, measured):
        yield (
            f"measure {trunk.folder.name}",
            None,
            (_measure_trunk, trunk, declared.measured, declared.keep_checkpoints),
        )
    for run in _once(run for progress in every for run in progress.needed):
        if runs.state(run).state != "running":
            yield run.folder.name, run, (_train_run, bench.plan([]), run)
    for progress in every:
        if progress.arm == BASELINE and progress.recipe is not None and BIGRAM in declared.null_arms:
            yield from ((f"table {table[1].name}", None, table) for table in _tables(bench, progress.size))


def _failure(given: Mapping[str, SweptRun | None], runs: Runs) -> str:
    """Why a run that was given failed for another reason than divergence; empty where none did."""
    for run in given.values():
        state = None if run is None else runs.state(run)
        if state and state.error and not state.diverged:
            return f"{state.run.folder}: {state.error} {_REMEDY}"
    return ""


def submit(bench: Bench, jobs: int | None, show: Show) -> list[RunState]:
    """Measure here what is trained, and submit a job for every run that can be trained now and is in no queue.

    How far these runs are; none is left where the bench is complete. Raises InputError where SLURM is not there or
    refuses a job.
    """
    from zerosum.sweep.slurm import queued_jobs
    from zerosum.sweep.slurm import submit as submit_jobs
    from zerosum.sweep.status import states

    identities_of(bench)
    runs = Runs(bench)
    _measure(bench, runs, jobs, show)
    needed = list(next_runs(bench, runs))
    plan = bench.plan(needed)
    bench.pool.mkdir(parents=True, exist_ok=True)
    if left := [state for state in states(plan, queued_jobs(plan)) if state.state in ("waiting", "failed")]:
        submit_jobs(plan, left, jobs)
    return states(plan, queued_jobs(plan))


def next_runs(bench: Bench, runs: Runs) -> Iterator[SweptRun]:
    """Runs that can be trained now: arm by arm, the baseline first. A run that two arms or sizes share comes once."""
    return _once(run for progress in _all(bench, runs) for run in progress.needed)


def _once(runs: Iterable[SweptRun]) -> Iterator[SweptRun]:
    seen: set[str] = set()
    for run in runs:
        if run.folder.name not in seen:
            seen.add(run.folder.name)
            yield run


def _all(bench: Bench, runs: Runs) -> Iterator[ArmProgress]:
    for size in bench.declaration.recipes:
        yield from progress_of(bench, size, runs)


def unmeasured(bench: Bench, runs: Runs) -> Iterator[SweptRun]:
    """Finished runs whose final loss is not measured yet."""
    return _once(run for progress in _all(bench, runs) for run in progress.unmeasured)


def _measure(bench: Bench, runs: Runs, jobs: int | None, show: Show) -> None:
    """Measure what is trained and not measured, and train the tables of bigrams."""
    while work := [work for _, run, work in _all_work(bench, runs, set()) if run is None]:
        _side_by_side(work, jobs, show, lambda notice: None)
        runs.refresh()


def _trunks_to_measure(
    bench: Bench, every: Iterable[ArmProgress], runs: Runs, measured: set[str]
) -> Iterator[SweptRun]:
    for progress in every:
        for trunk in (one.trunk for one in progress.seeds):
            if trunk.folder.name in measured or runs.state(trunk).state != "done":
                continue
            if is_measured(trunk, bench.declaration.measured):
                measured.add(trunk.folder.name)
            else:
                yield trunk


def _tables(bench: Bench, size: str) -> Iterator[Work]:
    declared, recipe = bench.declaration, bench.declaration.recipes[size]
    if not (declared.measured and bigram.is_possible(recipe)):
        return
    measured = bigram.measured_in(bench, recipe)
    for seed in declared.seeds:
        own = recipe.model_copy(update={"seed": seed})
        file = bigram.file_of(bench.pool, own, measured)
        if not (file.is_file() or file.stem in bench.known):
            yield (_train_table, file, own, measured)


def _call(job: Work, report: Show) -> None:
    work, *arguments = job
    work(*arguments, report)


def _train_run(plan: Plan, run: SweptRun, report: Show) -> None:
    train_one(plan, run, report, tell=report)


def _measure_final_loss(run: SweptRun, most: int, report: Show) -> None:
    report(run.folder.name, 1, 0, "final loss")
    measure_final_loss(run, most)


def _measure_trunk(trunk: SweptRun, sequences: int, keep: bool, report: Show) -> None:
    measure(trunk, sequences, keep, report)


def _train_table(file: Any, recipe: Any, measured: bigram.Measured, report: Show) -> None:
    report(file.stem, 1, 0, "table of bigrams")
    bigram.train_table(file, recipe, measured)
