"""The averaged checkpoints of a run: those that training wrote, or means of the checkpoints that are there."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from zerosum.checkpoints._mean_of_weights import require_averageable, write_mean
from zerosum.checkpoints._run import Checkpoint, Run
from zerosum.checkpoints.average_folders import FOLDER, read_facts
from zerosum.checkpoints.average_form import Averaged, AverageForm, parse_average
from zerosum.errors import InputError
from zerosum.missing import UNKNOWN_STEP

MADE = Path("zerosum") / FOLDER
"""Inside a run directory: averages made of its checkpoints. They may be deleted, and are made again when needed."""


def averaged_run(run: Run, average: str) -> Run:
    """The run with averaged weights at its steps.

    average: `last:K`, `ema:BETA` or steps, as "900,950,1000". Where training wrote this average, with its checkpoints,
    that is taken. Else `last:K` at step t is the mean of the checkpoints of steps t - K + 1 to t; steps where only one
    checkpoint lies there are left out, unless it is the only iterate. Steps name one mean, at the last of them.
    Means of checkpoints are written into `zerosum/averages/` in the run directory.

    Raises InputError where there is nothing to average, where an EMA was not saved, or where checkpoints are of
    different models.
    """
    form = parse_average(average)
    saved = [] if form.steps else list(filter(None, (_saved(checkpoint, form) for checkpoint in run.checkpoints)))
    checkpoints = saved or _made(run, form)
    steps = set() if form.steps else {one.step for one in run.checkpoints} - {one.step for one in checkpoints}
    return replace(run, checkpoints=tuple(checkpoints), average=form.place, not_averaged=tuple(sorted(steps)))


def _saved(checkpoint: Checkpoint, form: AverageForm) -> Checkpoint | None:
    """The average that training wrote with a checkpoint, if it did."""
    if not isinstance(checkpoint.location, Path):
        return None
    folder = checkpoint.location / FOLDER / form.place
    averaged = Averaged.of_json(read_facts(folder)) if folder.is_dir() else None
    return None if averaged is None else replace(checkpoint, location=folder, averaged=averaged)


def _made(run: Run, form: AverageForm) -> list[Checkpoint]:
    if form.decay:
        raise InputError(
            f"{run.path}: no average {form.text} was saved, and an EMA cannot be made of some of the iterates. Train "
            f"with --set averages={form.text}, or take last:K, which can be made of dense checkpoints."
        )
    windows = [_of_steps(run, form.steps)] if form.steps else _windows(run, form)
    require_averageable(sorted({one for window in windows for one in window}, key=lambda one: one.step))
    checkpoints = []
    for window in windows:
        last = window[-1]
        folder = run.path / MADE / form.place / f"checkpoint-{last.step}"
        averaged = Averaged(form.text, len(window), tuple(checkpoint.step for checkpoint in window))
        write_mean(folder, window, averaged)
        checkpoints.append(replace(last, location=folder, averaged=averaged))
    return checkpoints


def _of_steps(run: Run, steps: Sequence[int]) -> list[Checkpoint]:
    by_step = {checkpoint.step: checkpoint for checkpoint in run.checkpoints}
    if missing := [step for step in steps if step not in by_step]:
        known = ", ".join(map(str, [step for step in by_step if step != UNKNOWN_STEP][-8:]))
        raise InputError(f"{run.path}: no checkpoint of step {missing[0]} to average. The last ones are: {known}.")
    return [by_step[step] for step in steps]


def _windows(run: Run, form: AverageForm) -> list[list[Checkpoint]]:
    """The checkpoints to average for each step of the run that has two or more, or all iterates, in its window."""
    windows = []
    for checkpoint in run.checkpoints:
        first = max(min(1, checkpoint.step), checkpoint.step - form.last + 1)  # the start is no iterate of training
        window = [other for other in run.checkpoints if first <= other.step <= checkpoint.step]
        if len(window) > 1 or first == checkpoint.step:
            windows.append(window)
    if not any(len(window) > 1 for window in windows):
        raise InputError(
            f"{run.path}: average {form.text}: no step has two checkpoints within its last {form.last} steps. Give "
            f"denser checkpoints or a larger K, or train with --set averages={form.text}, which averages every iterate."
        )
    return windows
