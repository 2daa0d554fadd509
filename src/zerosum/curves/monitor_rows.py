"""Rows that the live monitor wrote into a log: they have no loss because they are not meant to have one."""

from itertools import compress

import numpy as np
from jaxtyping import Bool

from zerosum.curves._table import Cells, Table
from zerosum.curves.column_names import ALIASES
from zerosum.curves.columns import plain

PREFIX = "zerosum/"
_PLACES = {*ALIASES["step"], "epoch"}  # they say where a row is, as do names of loggers, which begin with "_"


def is_under(prefix: str, name: object) -> bool:
    """Whether a name is under a prefix, which itself may be under others.

    >>> is_under("zerosum/", "zerosum/D_step"), is_under("zerosum/", "train/zerosum/D_step"), is_under("a/", "ba/c")
    (True, True, False)
    """
    before, found, after = name.rpartition(prefix) if isinstance(name, str) else ("", "", "")
    return bool(found and after) and before[-1:] in ("", "/", ".")


def rows_of_the_monitor(table: Table, without_loss: Bool[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Which of the rows without a loss have values of the monitor and, beside their place, nothing else."""
    own = [name for name in table.names if is_under(PREFIX, name)]
    others = [name for name in table.names if not (name in own or plain(name) in _PLACES or name.startswith("_"))]
    has_own = np.zeros(len(without_loss), dtype=bool)
    for name in own:
        if (open_rows := without_loss & ~has_own).any():
            has_own[open_rows] = _present(table.cells(name), open_rows)
    for name in others:
        if has_own.any():
            has_own[has_own] = ~_present(table.cells(name), has_own)
    return has_own


def _present(cells: Cells, rows: Bool[np.ndarray, " n"]) -> Bool[np.ndarray, " k"]:
    """Which of the cells of some rows hold anything; a number that is none, as "NaN", is something."""
    if isinstance(cells, np.ndarray):
        return np.asarray(cells[rows] == cells[rows])
    return np.array([cell is not None and cell == cell and cell != "" for cell in compress(cells, rows)])
