"""Kinds of loss change that are shown over training, and the titles of their panels."""

from dataclasses import dataclass

from zerosum.deceleration import Analysis
from zerosum.interference import Interference
from zerosum.interference.labelled import StoreFindings
from zerosum.show.numbers import count
from zerosum.show.report import Report

NEAR = 0.05  # of twice the step: checkpoints this close to it count as t and 2t


@dataclass(frozen=True)
class Change:
    """One kind of loss change. key: in tables. split: on which tokens. words: what it is, for titles."""

    key: str
    split: str
    words: str


PAIRS = Change("t->2t", "heldout", "t → 2t, held-out text")
ONE_STEP = (
    Change("t->t+1", "heldout", "t → t+1, held-out text"),
    Change("t->t+1", "batch", "t → t+1, training batch"),
)
Measured = tuple[int, int, Interference]
"""From step, to step, and what was measured between them."""


def measured(findings: StoreFindings, change: Change) -> list[Measured]:
    """The measurements of one kind of change in a store, by step; pairs with a problem are left out."""
    if change is PAIRS:
        rows = [(pair.from_step, pair.to_step, pair.measured) for pair in findings.found.sound]
    else:
        steps = [step for step in findings.one_steps if step.split == change.split]
        rows = [(step.step, step.step + 1, step.measured) for step in steps]
    return sorted(rows, key=lambda row: row[:2])


def of_report(report: Report, change: Change) -> list[tuple[str, list[Measured]]]:
    """(label of the run, what was measured) of every run that measured this kind of change."""
    rows = [(label, measured(findings, change)) for label, findings in report.each(StoreFindings)]
    return [(label, steps) for label, steps in rows if steps]


def breaks(report: Report) -> dict[str, float]:
    """t_d of the runs that decelerate and have a store of losses, by label."""
    stores = {label for label, _ in report.each(StoreFindings)}
    fits = ((label, analysis.fit) for label, analysis in report.each(Analysis))
    return {label: fit.t_d for label, fit in fits if label in stores and fit.verdict == "decelerates"}


def numbers_of_tokens(report: Report, *changes: Change) -> list[int]:
    """The numbers of tokens N that these kinds of change were measured on, in order."""
    return sorted({result.N for change in changes for _, rows in of_report(report, change) for *_, result in rows})


def titled(report: Report, change: Change) -> str:
    """The kind of change with its N, for panel titles."""
    n = numbers_of_tokens(report, change)
    words = change.words if change is not PAIRS or _doublings(report) else "between checkpoints, held-out text"
    if not n:
        return words
    return f"{words} (N = {count(n[0])})" if len(n) == 1 else f"{words} (N from {count(n[0])} to {count(n[-1])})"


def _doublings(report: Report) -> bool:
    pairs = [(start, end) for _, rows in of_report(report, PAIRS) for start, end, _ in rows]
    return all(abs(end - 2 * start) <= NEAR * 2 * start for start, end in pairs)


def different_N(report: Report, *changes: Change) -> str:
    """A warning where N differs, since D grows with N by chance alone; empty where all N are equal."""
    if len(numbers_of_tokens(report, *changes)) < 2:
        return ""
    return (
        "N differs between panels: D of different N cannot be compared, because D grows with N by chance alone. "
        "Read each curve against the nulls of its own panel."
    )
