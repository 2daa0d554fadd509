"""Rows of losses between progress bars, whose counter is the step."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from zerosum.curves._note import Note
from zerosum.curves.line_fields import FRACTION, Line
from zerosum.curves.text_names import FEWEST, REMEDY
from zerosum.errors import InputError

ROUNDED = 0.006  # half a digit of the epochs that Hugging Face prints, and a little more
Row = dict[str, Any]


def rows_of_bars(lines: Sequence[Line], loss: str, total: float | None, source: str, notes: list[Note]) -> list[Row]:
    """Rows of losses between progress bars. The bar above a loss is its step, or lags behind: then the bar below is.

    tqdm refreshes a bar ten times a second, and once more when a line was printed above it.
    """
    above: list[float | None] = []
    below: list[float | None] = []
    rows: list[Row] = []
    bar: float | None = None
    for line in lines:
        if loss in line.numbers:
            rows.append(row_of(line, line.numbers))
            above.append(bar)
        elif line.totals.get(FRACTION) == total:
            bar = line.numbers[FRACTION]
            below += [bar] * (len(rows) - len(below))
    below += [None] * (len(rows) - len(below))
    lags = _is_even(below) and (not _is_even(above) or len(set(above)) < len(set(below)))
    misfit_above, misfit_below = _misfit(rows, above), _misfit(rows, below)
    steps = below if lags or misfit_above > 2 * max(misfit_below, ROUNDED) else above
    if steps[0] == 0 != below[0] and _is_even(below) and misfit_below <= 2 * max(misfit_above, ROUNDED):
        raise InputError(
            f"{source}: the first loss may be of step 0 or {below[0]:g}, as the bars above and below it say. {REMEDY}"
        )
    if None in steps:
        notes.append(Note("rows-dropped", f"{steps.count(None)} losses without a progress bar left out"))
    return [
        {FRACTION: step, "total_steps": total} | row for step, row in zip(steps, rows, strict=True) if step is not None
    ]


def _is_even(steps: Sequence[float | None]) -> bool:
    """Whether steps are multiples of the usual distance between them, but for a few."""
    there = [step for step in steps if step is not None]
    if len(there) < FEWEST:
        return False
    usual = Counter(after - before for before, after in pairwise(there)).most_common(1)[0][0]
    return usual > 0 and sum(step % usual == 0 for step in there) >= 0.9 * len(steps)


def _misfit(rows: Sequence[Row], steps: Sequence[float | None]) -> float:
    """How far the epochs of rows are from being proportional to steps, at most."""
    pairs = [(row["epoch"], step) for row, step in zip(rows, steps, strict=True) if "epoch" in row and step is not None]
    square = sum(step * step for _, step in pairs)
    slope = sum(epoch * step for epoch, step in pairs) / square if square else 0.0
    return max((abs(epoch - slope * step) for epoch, step in pairs), default=0.0)


def without_stale(rows: list[Row], loss: str, notes: list[Note]) -> list[Row]:
    """Rows of progress bars, which repeat the last loss at every step until the next is known: the first of each."""
    fresh = rows[:1] + [row for before, row in pairwise(rows) if row[loss] != before[loss]]
    if len(fresh) > len(rows) / 2:
        return rows
    notes.append(Note("rows-dropped", f"{len(rows) - len(fresh)} bars that repeat the loss before them left out"))
    return fresh


def row_of(line: Line, numbers: dict[str, float], step: str | None = None) -> Row:
    """A line as a row. step: the number whose total is the total of steps."""
    total = {"total_steps": line.totals[step]} if step in line.totals else {}
    return {**line.texts, **numbers, **total}
