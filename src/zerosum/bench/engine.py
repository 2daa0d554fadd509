"""Runs a bench to its end, here or as jobs of SLURM: rounds of training and of measuring, until nothing is needed.

Every round asks what is needed next (`progress`), so that a bench continues where it was stopped.
"""

import os
from collections.abc import Callable, Iterator
from itertools import islice
from time import sleep
from typing import Any

from zerosum.bench import bigram
from zerosum.bench.identity import check_identity
from zerosum.bench.identity_file import read_identities, write_identities
from zerosum.bench.movement import is_measured, measure
from zerosum.bench.plan import BASELINE, Bench
from zerosum.bench.progress import BIGRAM, ArmProgress, Runs, progress_of
from zerosum.bench.reading import require_own_folder, write_declaration
from zerosum.bench.results import IdentityCheck
from zerosum.errors import InputError
from zerosum.sweep import RunState, SweptRun
from zerosum.sweep.local import train_here
from zerosum.training import side_by_side
from zerosum.training.disk import bytes_to_come, require_free
from zerosum.training.notices import Tell

Show = Callable[..., None]
_RUNS_PER_WORKER = 3  # at a time: runs differ in length, and with one for each, workers wait for the longest
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
    InputError where a run fails for another reason than divergence.
    """
    identities_of(bench)
    runs = Runs(bench)
    workers = jobs or _cores()
    while True:
        free = (run for run in next_runs(bench, runs) if runs.state(run).state != "running")
        batch = list(islice(free, _RUNS_PER_WORKER * workers))
        if batch:
            _require_space(bench, batch)
            train_here(bench.plan(batch), batch, jobs, show, tell)
            runs.refresh()
            _require_success(batch, runs)
        measured = _measure(bench, runs, jobs, show)
        if not batch and not measured:
            if (run := next(next_runs(bench, runs), None)) is None:
                return runs
            show(run.folder.name, run.recipe.steps, runs.state(run).step, "trained by another process")
            sleep(_LOOK)
            runs.refresh()


def submit(bench: Bench, jobs: int | None) -> list[RunState]:
    """Submit a job for every run that can be trained now and is in no queue; how far these runs are.

    Raises InputError where SLURM is not there or refuses a job.
    """
    from zerosum.sweep.slurm import queued_jobs
    from zerosum.sweep.slurm import submit as submit_jobs
    from zerosum.sweep.status import states

    identities_of(bench)
    runs = Runs(bench)
    needed = list(next_runs(bench, runs))
    plan = bench.plan(needed)
    bench.pool.mkdir(parents=True, exist_ok=True)
    if left := [state for state in states(plan, queued_jobs(plan)) if state.state in ("waiting", "failed")]:
        submit_jobs(plan, left, jobs)
    return states(plan, queued_jobs(plan))


def next_runs(bench: Bench, runs: Runs) -> Iterator[SweptRun]:
    """Runs that can be trained now: arm by arm, the baseline first. A run that two arms or sizes share comes once."""
    seen: set[str] = set()
    for progress in _all(bench, runs):
        for run in progress.needed:
            if run.folder.name not in seen:
                seen.add(run.folder.name)
                yield run


def _all(bench: Bench, runs: Runs) -> Iterator[ArmProgress]:
    for size in bench.declaration.recipes:
        yield from progress_of(bench, size, runs)


def measure_here(bench: Bench, runs: Runs, jobs: int | None, show: Show) -> None:
    """Measure what is trained and not measured."""
    _measure(bench, runs, jobs, show)


def _measure(bench: Bench, runs: Runs, jobs: int | None, show: Show) -> bool:
    """Measure every trunk that is trained, and train the tables of bigrams; whether there was something to do."""
    declared = bench.declaration
    work: list[tuple[Any, ...]] = []
    for progress in _all(bench, runs):
        for one in progress.seeds:
            done = runs.state(one.trunk).state == "done"
            if done and not is_measured(one.trunk, declared.measured):
                keep = declared.keep_checkpoints
                work.append((_measure_trunk, one.trunk, declared.measured, keep))
        if progress.arm == BASELINE and progress.recipe is not None and BIGRAM in declared.null_arms:
            work += _tables(bench, progress.size)
    if work:
        side_by_side(
            _call,
            work,
            workers=jobs,
            on_report=lambda number, *news: show(*news),
            modules=_PRELOADED,
        )
    return bool(work)


def _tables(bench: Bench, size: str) -> Iterator[tuple[Any, ...]]:
    declared, recipe = bench.declaration, bench.declaration.recipes[size]
    if not (declared.measured and bigram.is_possible(recipe)):
        return
    more = bench.cooldown_steps(recipe.steps)
    for seed in declared.seeds:
        own = recipe.model_copy(update={"seed": seed})
        file = bigram.file_of(bench.pool, own, declared.measured, more)
        if not file.is_file():
            yield (_train_table, file, own, declared.measured, more)


def _call(job: tuple[Any, ...], report: Show) -> None:
    work, *arguments = job
    work(*arguments, report)


def _measure_trunk(trunk: SweptRun, sequences: int, keep: bool, report: Show) -> None:
    measure(trunk, sequences, keep, report)


def _train_table(file: Any, recipe: Any, sequences: int, more: int, report: Show) -> None:
    report(file.stem, 1, 0, "table of bigrams")
    bigram.train_table(file, recipe, sequences, more)


def _require_space(bench: Bench, batch: list[SweptRun]) -> None:
    needed = sum(bytes_to_come(run.recipe, run.folder) for run in batch)
    require_free(bench.pool, needed, "Free some space: what is done stays, and the same command goes on.")


def _require_success(batch: list[SweptRun], runs: Runs) -> None:
    for run in batch:
        state = runs.state(run)
        if state.error and not state.diverged:
            raise InputError(f"{run.folder}: {state.error} What is done stays: the same command goes on.")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
