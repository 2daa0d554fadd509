"""Sections that show what was measured of one run at a time."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from zerosum.interference.labelled import StoreFindings
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.report import Report

R = TypeVar("R")
Checkpoint = TypeVar("Checkpoint")


def absent_of_several(report: Report, kind: type = StoreFindings) -> str | None:
    """Why a section for a single run has nothing to show, None where exactly one run has a record of this type."""
    number = len(report.each(kind))
    several = f"{number} runs have it; it is shown for one run at a time: zerosum report RUN"
    return None if number == 1 else several if number else ""


def findings_of(report: Report) -> StoreFindings:
    """The findings of the one run that has some."""
    return record_of(report, StoreFindings)


def record_of(report: Report, kind: type[R]) -> R:
    """The record of this type of the one run that has one; only for sections that are not absent."""
    record = report.only(kind)
    if record is None:
        raise ValueError("a section for a single run was asked about several")
    return record


def spread_evenly(checkpoints: Sequence[Checkpoint], most: int) -> list[Checkpoint]:
    """At most so many checkpoints: the last one, and others spread evenly before it.

    >>> spread_evenly([1, 2, 4, 8, 16, 32, 64], 3)
    [1, 8, 64]
    """
    last = len(checkpoints) - 1
    return [checkpoints[k] for k in sorted({round(k * last / (most - 1)) for k in range(most)})]


def problem_sentences(records: Iterable[Any]) -> Iterator[str]:
    """Problems of checkpoints, and which of these are left out of every comparison. records: of one run."""
    steps: dict[tuple[str, bool], list[int | None]] = {}
    for record in records:
        for problem in record.problems:
            steps.setdefault((problem.message, record.is_sound), []).append(record.step)
    for (message, is_sound), several in steps.items():
        at = ", ".join(n.count(step) for step in several if step is not None)
        place = f"step{'s' * (len(several) > 1)} {at}: " if at else ""
        left_out = "" if is_sound else " Left out of comparisons."
        yield f"Problem: {place}{printable(message, 400).rstrip('. ')}.{left_out}"


def is_on_page_of_fits(report: Report) -> bool:
    """Whether the report is on one run with per-token losses: details of its fit are on the page of `zerosum fit`."""
    return len(report.runs) == 1 and bool(report.each(StoreFindings))
