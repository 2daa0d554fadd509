"""Tables with a header: comma, tab, semicolon, bar or blank between the columns."""

import csv
import io
import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from zerosum.curves._format import HEAD_BYTES, Choose, Columns, Format
from zerosum.curves._note import Note
from zerosum.curves._table import Cells
from zerosum.curves.numerals import COUNTS, Numerals, is_number, may_be_grouped
from zerosum.curves.series import read_series
from zerosum.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

EXPECTED = "Give a table with a step and a loss in each row, such as step,loss and 1,10.8 below it."
DELIMITERS = ("\t", ";", "|", ",")  # of equally many the first: a comma may also stand before decimals
_NAME_AND_NUMBER = re.compile(r"[A-Za-z\])'\"]\s*(?:[:=]\s*['\"\[(]*[-+]?\d|\s\d+(?:[.]\d|e[-+]))")


@dataclass(frozen=True)
class Layout:
    """Layout of a table in a text file. skip: lines before the first row. header: None without one."""

    encoding: str
    delimiter: str
    skip: int
    header: list[str] | None
    width: int


def _matches(head: bytes, name: str) -> bool:
    return layout_of(head) is not None


def layout_of(head: bytes) -> Layout | None:
    """The layout of the table that begins with these bytes; None where it is no table."""
    encoding = _encoding(head)
    if encoding == "utf-8-sig" and b"\0" in head:
        return None
    lines = head.decode(encoding, errors="replace").splitlines()
    skip = _first_row(lines)
    if skip is None:
        return None
    delimiter = max(DELIMITERS, key=lines[skip].count)
    if delimiter not in lines[skip]:
        delimiter = " "
    first = _fields(lines[skip], delimiter)
    numeric = sum(map(is_number, first))
    # "step 1 loss 8.05", "100 | loss 8.05", "step: 1, loss: 8.05": a text log, not a header
    pairs = sum(bool(_NAME_AND_NUMBER.search(field)) for field in first)
    if (0 < numeric < len(first) and (delimiter == " " or pairs)) or 2 * pairs > len(first):
        return None
    # One line alone is no table, and prose has no second row of the same width with a number in it.
    rows = [_fields(line, delimiter) for line in lines[skip + 1 : skip + 6] if line.strip()]
    if len(first) < 2 or not rows or len(rows[0]) != len(first) or not any(map(is_number, rows[0])):
        return None
    if delimiter == " " and (
        2 * sum(map(is_number, rows[0])) < len(first) or any(field.endswith((":", "=")) for field in (*first, *rows[0]))
    ):  # words of which some are numbers
        return None
    header = None if all(is_number(field) or not field.strip() for field in first) else first
    return Layout(encoding, delimiter, skip, header, len(first))


def _encoding(head: bytes) -> str:
    return "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _first_row(lines: list[str]) -> int | None:
    """Index of the first line that is neither a comment nor the `sep=;` that Excel writes."""
    skipped = re.compile(r"\s*(?:#.*|sep=.)?\s*", re.IGNORECASE)
    return next((k for k, line in enumerate(lines) if not skipped.fullmatch(line)), None)


def _fields(line: str, delimiter: str) -> list[str]:
    if delimiter == " ":
        return line.split()
    try:
        return next(csv.reader(io.StringIO(line), delimiter=delimiter), [])
    except csv.Error:
        return []


def read_table(paths: tuple[Path, ...], choose: Choose) -> Columns:
    """Read the columns that `choose` picks. Raises InputError where the file is no regular table."""
    path = paths[0]
    with path.open("rb") as handle:
        head = handle.read(HEAD_BYTES)
    layout = layout_of(head)
    if layout is None:
        raise InputError(f"{path}: no table with a header and rows of numbers ({_found(head)}). {EXPECTED}")
    notes: list[Note] = []
    numerals = Numerals(str(path), notes, layout.delimiter != ",", "." if layout.delimiter == "," else "")
    axes, chosen = read_series(_Table(path, layout, _frame(path, layout), numerals), choose)
    if _last_row_is_cut_off(path, axes["step"]):
        notes.append(
            Note("cut-off", f"the last line (step {axes['step'][-1]:g}) has no end, is likely cut off and was dropped")
        )
        axes = {axis: values[:-1] for axis, values in axes.items()}
    return Columns(axes, chosen, tuple(notes), {",": "csv", "\t": "tsv"}.get(layout.delimiter, "csv"))


def logged(paths: tuple[Path, ...]) -> Iterator[dict[str, Any]]:
    """The rows by the names in the header, as they are written; none where there is no header."""
    with paths[0].open("rb") as handle:
        layout = layout_of(handle.read(HEAD_BYTES))
    if layout is None or layout.header is None or layout.delimiter == " ":
        return
    with paths[0].open(encoding=layout.encoding, errors="replace", newline="") as lines:
        for _ in range(layout.skip + 1):
            next(lines, "")
        yield from csv.DictReader((line.replace("\0", "") for line in lines), layout.header, delimiter=layout.delimiter)


@dataclass(frozen=True)
class _Table:
    """The columns of a frame by name."""

    path: Path
    layout: Layout
    frame: "pd.DataFrame"
    numerals: Numerals

    @property
    def names(self) -> list[str]:
        # Without a header the columns are called by their place, so that they can be chosen but are never guessed.
        return self.layout.header or [f"column {k + 1}" for k in range(self.layout.width)]

    def numbers(self, axis: str, name: str) -> Float[np.ndarray, " n"]:
        same = self.names.count(name)
        if same > 1:
            raise InputError(f"{self.path}: {same} columns are called {name!r} ({axis}). Rename all but one.")
        return _numbers(self.path, self.layout, self._column(name), axis, name, self.numerals)

    def cells(self, name: str) -> Cells:
        column = self._column(name)
        return column.to_numpy() if column.dtype.kind in "fiub" else column.tolist()

    def _column(self, name: str) -> "pd.Series":
        return self.frame.iloc[:, self.names.index(name)]


def _found(head: bytes) -> str:
    """A description of how a file that is no table begins, for the error message."""
    lines = head.decode(_encoding(head), errors="replace").splitlines()
    first = _first_row(lines)
    if first is None:
        return "nothing but comments"
    rows = [line.strip() for line in lines[first:] if line.strip()]
    if len(rows) == 1:
        return f"one line, {rows[0][:60]!r}"
    if not any(is_number(rows[0]) or set(row) & set("".join(DELIMITERS)) for row in rows) and is_number(rows[1]):
        return f"one column, {rows[0][:60]!r}, of numbers"
    return f"{rows[0][:60]!r}, then {rows[1][:60]!r}"


def _last_row_is_cut_off(path: Path, step: Float[np.ndarray, " n"]) -> bool:
    """Whether the last line has no end and a smaller step: it was more likely cut off than written by a resumed run."""
    with path.open("rb") as handle:
        handle.seek(-1, os.SEEK_END)
        ended = handle.read(1) in b"\r\n\0"
    return not ended and len(step) > 1 and bool(step[-1] < step[-2])


def _frame(path: Path, layout: Layout, **more: Any) -> "pd.DataFrame":
    import pandas as pd

    # From 3.1 on pandas reads every number to the nearest one; before, only when told to.
    version = tuple(int(part) for part in pd.__version__.split(".")[:2])
    exact: dict[str, Any] = {} if version >= (3, 1) else {"float_precision": "round_trip"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame: pd.DataFrame = pd.read_csv(
                path,
                sep=r"\s+" if layout.delimiter == " " else layout.delimiter,
                encoding=layout.encoding,
                encoding_errors="replace",
                skiprows=layout.skip + (layout.header is not None),
                header=None,
                names=list(range(layout.width)),
                index_col=False,
                low_memory=False,
                **exact,
                **more,
            )
            return frame
    except (ValueError, OverflowError, pd.errors.ParserWarning, UnicodeError) as error:
        cause = str(error).strip().splitlines()[0].removeprefix("Error tokenizing data. C error: ")
        raise InputError(f"{path}: not a regular table ({cause}). Mend or remove that row.") from None


def _numbers(
    path: Path, layout: Layout, column: "pd.Series", axis: str, name: str, numerals: Numerals
) -> Float[np.ndarray, " n"]:
    import pandas as pd

    if pd.api.types.is_bool_dtype(column):
        raise InputError(f"{path}: column {name!r} holds true and false, not numbers. Choose another column.")
    if not pd.api.types.is_numeric_dtype(column):
        return numerals.read(axis, name, column.tolist())
    numbers: Float[np.ndarray, " n"] = column.to_numpy(dtype=np.float64)
    if not pd.api.types.is_float_dtype(column):
        return numbers
    if axis not in COUNTS:
        numerals.decimal = "."
    elif may_be_grouped(numbers):  # 1.000 is one or a thousand: only the text tells
        texts = _frame(path, layout, dtype=str, usecols=[column.name]).iloc[:, 0]
        return numerals.read(axis, name, texts.tolist())
    return numbers


FORMAT = Format(
    name="CSV or TSV",
    named=("*.csv", "*.tsv", "*.txt", "*.dat"),
    matches=_matches,
    read=read_table,
    rank=90,
    rows=logged,
)
