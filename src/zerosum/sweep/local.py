"""Runs of a sweep side by side on this machine."""

from collections.abc import Callable, Sequence
from typing import Any

from zerosum.sweep.plan import Plan, SweptRun
from zerosum.sweep.work import train_one
from zerosum.training import side_by_side
from zerosum.training.notices import Notice, Tell

_PRELOADED = ("zerosum.training.loop", "zerosum.sweep.work")


def train_here(plan: Plan, runs: Sequence[SweptRun], jobs: int | None, show: Callable[..., None], tell: Tell) -> None:
    """Train or continue runs, `jobs` at a time (None: one for each core); see `train_one` for failures and notices.

    show: called as (name, steps, step, note) while the runs train.
    """

    def receive(number: int, *news: Any) -> None:
        if isinstance(news[0], Notice):
            tell(news[0])
        else:
            show(*news)

    work = [(plan, run) for run in runs]
    side_by_side(_train, work, workers=jobs, on_report=receive, modules=_PRELOADED)


def _train(job: tuple[Plan, SweptRun], report: Callable[..., Any]) -> str | None:
    return train_one(*job, report, tell=report)
