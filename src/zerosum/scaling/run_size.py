"""N of a run: as given, from a column of its log, counted from its configuration, or from its name, in this order."""

import csv
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from zerosum.curves.numerals import scaled
from zerosum.errors import InputError
from zerosum.scaling.columns import (
    NOT_STATED,
    WITH_EMBEDDINGS,
    WITHOUT_EMBEDDINGS,
    amount,
    choose_size,
    size_columns,
)
from zerosum.scaling.row_checks import FEWEST_PARAMETERS

MOST_ROWS = 1_000_000
# 14M, 1.2b, 160m: a number with its unit that is no part of another word or number.
_IN_NAME = re.compile(r"(?<![0-9A-Za-z])(?<![0-9]\.)(\d+(?:\.\d+)?)([kKmMbB])(?![0-9A-Za-z])")


@dataclass(frozen=True)
class RunSize:
    """N parameters. N_is: what is counted. origin: where the number is from."""

    N: float
    N_is: str
    origin: str


Count = Callable[[str], tuple[int, int] | None]
"""Source of a run -> its parameters with and without embeddings; None where it has no configuration."""


def given_size(value: object, run: str, N_is: str) -> RunSize:
    """A size that the caller gives. Raises InputError where it is no number of parameters."""
    N = amount(value)
    if not (math.isfinite(N) and N >= FEWEST_PARAMETERS):
        raise InputError(
            f"{run}: N is {str(value)[:40]!r}, no number of parameters (in millions or billions?). Write the count, or "
            "for example 410M."
        )
    return RunSize(N, N_is, "given")


def size_of(source: str, name: str, *, embeddings: bool = True, count: Count | None = None) -> RunSize:
    """The size of a run that nobody gives. source: its log or folder. name: what the run is called.

    embeddings: whether N counts them, where both numbers are known. Raises InputError where no size is known.
    """
    by_column = _in_column(Path(source), embeddings)
    if by_column is not None:
        return by_column
    counted = count(source) if count is not None else None
    if counted is not None:
        number = counted[0 if embeddings else 1]
        return RunSize(float(number), WITH_EMBEDDINGS if embeddings else WITHOUT_EMBEDDINGS, "configuration")
    for text in dict.fromkeys((Path(source).name, name, Path(source).absolute().parent.name)):
        sizes = {scaled(number + unit.upper()) for number, unit in _IN_NAME.findall(text)}
        if len(sizes) == 1:
            N = sizes.pop()
            return given_size(N, source or name, NOT_STATED if embeddings else WITHOUT_EMBEDDINGS)
        if sizes:
            found = ", ".join(f"{size:g}" for size in sorted(filter(None, sizes)))
            raise InputError(f"{source or name}: its name has several sizes ({found}). Give --params N,... (params=).")
    raise InputError(
        f"{source or name}: its size is not known: no column N, no configuration to count, and no size such as 14M in "
        "its name. Give the sizes of all runs in their order: --params N,... (params=)."
    )


def _in_column(log: Path, embeddings: bool) -> RunSize | None:
    """The size in a column of a CSV log; None where there is no such column, or it changes along the log."""
    if log.suffix.lower() != ".csv" or not log.is_file():
        return None
    try:
        with log.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            columns = size_columns(name for name in rows.fieldnames or () if name is not None)
            if not columns:
                return None
            column, meaning = choose_size(columns, embeddings)
            values = {row[column] for row in islice(rows, MOST_ROWS)}
    except (OSError, UnicodeDecodeError, csv.Error):
        return None
    if len(values) != 1:
        return None
    return given_size(values.pop(), str(log), meaning)
