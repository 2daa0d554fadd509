"""The interface of a file format: how a reader is recognised and called."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from zerosum.curves._note import Note
from zerosum.curves._table import Cells
from zerosum.curves.columns import Chooser
from zerosum.curves.numerals import Numerals
from zerosum.curves.series import read_series

HEAD_BYTES = 65_536  # how much of a file a format sees to recognise it
Choose = Chooser  # which of the names a reader found are the step, the loss, ...
GENERAL = 100  # rank of a reader that is asked last
# The files of a folder that a format knows -> runs, each the files it is written in, in order.
Runs = Callable[[Sequence[Path]], list[tuple[Path, ...]]]


@dataclass(frozen=True)
class Columns:
    """The columns that a reader took from a source.

    axes: "step", "loss", ... -> [n] numbers, NaN where missing, in the order written.
    names: axis -> the source's own column name. notes: one for each thing the reader had to work around.
    format: as what the file was read. title: what the source itself calls the run, where it does.
    """

    axes: dict[str, Float[np.ndarray, " n"]]
    names: dict[str, str]
    notes: tuple[Note, ...]
    format: str
    title: str = ""


def each_its_own(files: Sequence[Path]) -> list[tuple[Path, ...]]:
    """Every file is a run."""
    return [(file,) for file in files]


@dataclass(frozen=True)
class Format:
    """A reader of one file format.

    name: for messages. named: lower-case file names, used only when no format recognises the content.
    matches: whether a file of these first bytes and this name looks like the format; it must not raise.
    read: files of one run and column chooser -> `Columns`; raises InputError, whatever the files hold.
    rank: lower is asked first; the format with the more particular signature goes first.
    places: where in a folder such files lie. runs: which of them belong together.
    anywhere: the signature is a line that may come late in the file, after what else was printed.
    rows: files of one run -> all that was logged, row by row, where the format names each value.
    """

    name: str
    named: tuple[str, ...]
    matches: Callable[[bytes, str], bool]
    read: Callable[[tuple[Path, ...], Choose], Columns]
    rank: int
    places: tuple[str, ...] = ()
    runs: Runs = each_its_own
    anywhere: bool = False
    rows: Callable[[tuple[Path, ...]], Iterator[dict[str, Any]]] | None = None


def columns_of_rows(
    rows: Sequence[dict[str, Any]], choose: Choose, label: str, *, notes: Iterable[Note], format: str, title: str = ""
) -> Columns:
    """Logged objects, one for each row, as `Columns`. label: what an error calls the source."""
    noted = list(notes)
    table = _Rows(rows, list(dict.fromkeys(key for row in rows for key in row)), Numerals(label, noted))
    axes, chosen = read_series(table, choose)
    return Columns(axes, chosen, tuple(noted), format, title)


@dataclass(frozen=True)
class _Rows:
    """Logged objects as a table."""

    rows: Sequence[dict[str, Any]]
    names: Sequence[str]
    numerals: Numerals

    def numbers(self, axis: str, name: str) -> Float[np.ndarray, " n"]:
        return self.numerals.read(axis, name, list(self.cells(name)))

    def cells(self, name: str) -> Cells:
        return (row.get(name) for row in self.rows)


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """Nested objects as dotted names, the way W&B names them; one level, which is all that trainers write."""
    if not any(isinstance(value, dict) for value in row.values()):
        return row
    flat: dict[str, Any] = {}
    for key, value in row.items():
        inner = {f"{key}.{name}": entry for name, entry in value.items()} if isinstance(value, dict) else {key: value}
        flat.update(inner)
    return flat
