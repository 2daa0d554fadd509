"""The kinds of loss change that figures over training tell apart, and how their panels are titled."""

import math
from dataclasses import dataclass
from typing import Any

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
    """All that one store says of one kind of change, in order of step; pairs with a problem are left out."""
    if change is PAIRS:
        rows = [(pair.from_step, pair.to_step, pair.measured) for pair in findings.found.sound]
    else:
        rows = [(one.step, one.step + 1, one.measured) for one in findings.one_steps if one.split == change.split]
    return sorted(rows, key=lambda row: row[:2])


def of_report(report: Report, change: Change) -> list[tuple[str, list[Measured]]]:
    """(label of the run, what was measured) of every run that measured this kind of change."""
    rows = [(label, measured(findings, change)) for label, findings in report.each(StoreFindings)]
    return [(label, found) for label, found in rows if found]


def numbers_of_tokens(report: Report, *changes: Change) -> list[int]:
    """The numbers of tokens N that these kinds of change were measured on, in order."""
    return sorted({found.N for change in changes for _, rows in of_report(report, change) for *_, found in rows})


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
    """What to say where N differs, since D grows with N by chance alone; nothing where all N are equal."""
    if len(numbers_of_tokens(report, *changes)) < 2:
        return ""
    return (
        "N differs between panels: D of different N cannot be compared, because D grows with N by chance alone. "
        "Read each curve against the nulls of its own panel."
    )


def as_row(found: Interference) -> dict[str, Any]:
    """One measurement as a row of a figure's numbers: values, N, nulls, and ends of the intervals."""
    names, nan = ("R", "D", "M", "delta_L", "harmful_share"), math.nan
    row: dict[str, Any] = {name: getattr(found, name) for name in names}
    row |= {"N": found.N, "null": found.null, "null_method": found.null_method}
    row |= {"null_unit": found.null_unit, "null_unit_method": found.null_unit_method, "excess": found.excess}
    for name in names:
        row[f"{name}_low"], row[f"{name}_high"] = getattr(found.interval, name) if found.interval else (nan, nan)
    level, n_units = (found.interval.level, found.interval.n_units) if found.interval else (nan, nan)
    method = found.interval.method if found.interval else f"none: {found.interval_reason}"
    return row | {"level": level, "n_units": n_units, "interval_method": method}
