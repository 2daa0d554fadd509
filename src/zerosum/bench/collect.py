"""Collects the results of every finished run of a bench, to be kept without the runs."""

from collections.abc import Iterator

from zerosum.bench.declaration import BASELINE
from zerosum.bench.known import KnownRun
from zerosum.bench.plan import Bench
from zerosum.bench.progress import ArmProgress, Levels, Runs, progress_of
from zerosum.bench.read import levels_of, levels_of_run, ngrams_at, seed_result, tables_at
from zerosum.bench.trained_on import trained_on
from zerosum.sweep import SweptRun


def collect(bench: Bench, runs: Runs) -> Iterator[KnownRun]:
    """Tuning runs, trunks with their branches, and tables of bigrams, at every size; those that were known, too."""
    for size in bench.declaration.recipes:
        every = progress_of(bench, size, runs)
        levels = levels_of(bench, size, every[0], runs)
        ngrams = ngrams_at(every[0], runs)
        for progress in every:
            is_baseline = progress.arm == BASELINE
            yield from _tuning(bench, progress, runs)
            for one in progress.seeds:
                if (result := seed_result(bench, one, levels, runs)) is not None:
                    name = one.trunk.folder.name
                    text = _text(one.trunk, runs)
                    yield KnownRun(name, result=result, levels=levels, ngrams=ngrams if is_baseline else {}, text=text)
                yield from (_final(run, runs) for run in one.compared if runs.has_loss(run))
        for name, table in tables_at(bench, size, levels):
            text = next((_text(one.trunk, runs) for one in every[0].seeds), "")
            yield KnownRun(name, result=table, levels=levels, text=text)


def _final(run: SweptRun, runs: Runs, levels: Levels = ()) -> KnownRun:
    return KnownRun(run.folder.name, runs.loss(run), runs.tokens(run), levels=levels, text=_text(run, runs))


def _text(run: SweptRun, runs: Runs) -> str:
    known = runs.known(run)
    return known.text if known else trained_on(run)


def _tuning(bench: Bench, progress: ArmProgress, runs: Runs) -> Iterator[KnownRun]:
    """Those over the whole horizon with their own levels: here or elsewhere, one may be the best of a baseline."""
    for rate in progress.tuning.rates if progress.tuning else ():
        recipe = bench.at(progress.size, progress.arm, rate)
        for full in (False, True):
            for seed in bench.declaration.tuning_seeds:
                run = bench.tuning_run(recipe, seed, full)
                if runs.has_loss(run):
                    yield _final(run, runs, levels_of_run(run, recipe.steps, runs) if full else ())
