"""Runs of a sweep side by side on this machine."""

from collections.abc import Callable, Sequence
from typing import Any

from zerosum.sweep.plan import Plan, SweptRun
from zerosum.sweep.work import train_one
from zerosum.training import side_by_side

_PRELOADED = ("zerosum.training.loop", "zerosum.sweep.work")


def train_here(plan: Plan, runs: Sequence[SweptRun], jobs: int | None, show: Callable[..., None]) -> None:
    """Train or continue runs, `jobs` at a time (None: one for each core); see `train_one` for failures.

    show: called as (name, steps, step, note) while the runs train.
    """
    work = [(plan, run) for run in runs]
    side_by_side(_train, work, workers=jobs, on_report=lambda number, *news: show(*news), modules=_PRELOADED)


def _train(job: tuple[Plan, SweptRun], report: Callable[..., Any]) -> str | None:
    return train_one(*job, report)
