"""Steps for losses that were written without any: counted 1, 2, 3, ... or N, 2N, 3N, ..."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from zerosum.curves._note import Note
from zerosum.curves._table import Cells, Table
from zerosum.curves.column_names import HELPERS
from zerosum.curves.columns import Chooser, matching, plain
from zerosum.curves.numerals import as_number
from zerosum.errors import InputError

COUNTED = "counted"  # the column of counted steps
UNEVEN = 0.02  # of the range: how far tokens or epochs may lie off a straight line over evenly spaced rows
ROUNDING = 0.01  # epochs are printed with two decimals
GROWING, RESTARTS = 0.5, 0.05  # shares of rows in which a counter grows, at least, and falls, at most
SAME = 1e-6  # relative difference of even steps


@dataclass(frozen=True)
class CountedTable:
    """A table with one more column, the counted steps. steps: [n] NaN in rows without a loss."""

    table: Table
    steps: Float[np.ndarray, " n"]

    @property
    def names(self) -> Sequence[str]:
        """The columns of the table, and the steps."""
        return [*self.table.names, COUNTED]

    def numbers(self, axis: str, name: str) -> Float[np.ndarray, " n"]:
        """A column as numbers."""
        return self.steps if name == COUNTED else self.table.numbers(axis, name)

    def cells(self, name: str) -> Cells:
        """A column as it is written."""
        return self.steps if name == COUNTED else self.table.cells(name)


def count_steps(table: Table, choose: Chooser) -> Table:
    """The table with counted steps where it has losses and nothing that tells their steps; else as it is.

    Nothing is counted unasked where another column may be the step (see `_is_counter`), or where tokens or epochs show
    that the rows are not evenly spaced.
    Raises InputError where steps are to be counted and the log has a column of steps.
    """
    names = list(dict.fromkeys(table.names))
    steps = [choose.overrides["step"]] if choose.overrides.get("step") is not None else matching("step", names)
    if steps:
        if choose.every is not None:
            raise InputError(
                f"{choose.source}: the log has steps ({steps[0]!r}), so they cannot be counted. "
                "Leave out every=N (--every)."
            )
        return table
    asked = choose.overrides.get("loss")
    losses = [name for name in names if name == asked] if asked is not None else matching("loss", names)
    rows = _with_loss(table.cells(losses[0])) if len(losses) == 1 else None
    if rows is None or (choose.every is None and not _may_be_counted(table, names, losses[0], rows)):
        return table
    every, n = choose.every or 1, int(rows.sum())
    choose.notes.append(_note(every, n, asked=choose.every is not None))
    counts = np.full(len(rows), np.nan)
    counts[rows] = every * np.arange(1.0, n + 1)
    return CountedTable(table, counts)


def _note(every: int, n: int, *, asked: bool) -> Note:
    text = f"no steps in it: the {n} losses were counted {every:,} to {every * n:,}"
    return Note("steps-counted", text + ("" if asked else "; where each stands for N steps say every=N (--every N)"))


def _with_loss(cells: Cells) -> Bool[np.ndarray, " n"] | None:
    """The rows with a loss, NaN included; None where an empty cell of a table cannot be told from NaN."""
    if isinstance(cells, np.ndarray) and cells.dtype.kind == "f":
        missing = np.isnan(cells)
        inside = missing.any() and not missing[np.argmax(missing) :].all()
        return None if inside else np.ones(len(cells), dtype=bool)
    return np.array([cell is not None and str(cell).strip() != "" for cell in cells], dtype=bool)


def _may_be_counted(table: Table, names: list[str], loss: str, rows: Bool[np.ndarray, " n"]) -> bool:
    if rows.sum() < 2:
        return False
    for name in names:
        if name == loss or names.count(name) > 1:
            continue
        values = np.array([as_number(cell) for cell in table.cells(name)], dtype=np.float64)[rows]
        if "token" in plain(name) or matching("tokens", [name]) or plain(name) in HELPERS["epoch"]:
            if not _evenly_spaced(values):
                return False
        elif _is_counter(values):
            return False
    return True


def _is_counter(values: Float[np.ndarray, " n"]) -> bool:
    """Whether numbers may be steps: not negative, and whole and growing but for restarts, or growing evenly.

    Rows of validation repeat a step. Steps in thousands are no whole numbers, but grow by the same from row to row.
    """
    if not (values >= 0).all():
        return False
    grown = np.diff(values)
    if (values == np.floor(values)).all():
        return bool((grown > 0).mean() >= GROWING and (grown < 0).mean() <= RESTARTS)
    return bool((grown > 0).all() and np.ptp(grown) <= SAME * grown.mean())


def _evenly_spaced(values: Float[np.ndarray, " n"]) -> bool:
    """Whether tokens or epochs grow by the same from row to row; true where they are missing."""
    if not np.isfinite(values).all() or len(values) < 3:
        return True
    line = np.linspace(values[0], values[-1], len(values))
    return bool(np.abs(values - line).max() <= UNEVEN * abs(values[-1] - values[0]) + ROUNDING)
