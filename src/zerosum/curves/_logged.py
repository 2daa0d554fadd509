"""What a run logged under a prefix beside its loss, from any log that names each of its values."""

import csv
import mmap
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

from zerosum.curves._read import log_at
from zerosum.curves.column_names import ALIASES
from zerosum.curves.columns import plain
from zerosum.curves.monitor_rows import is_under
from zerosum.curves.numerals import as_number
from zerosum.errors import InputError

LARGEST_STEP = 1e15


def logged_under(prefix: str, source: str | PathLike[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """(step, values) of each row that has a value under a prefix, in the order written.

    prefix: as "zerosum/", which also finds "train/zerosum/D_step". source: as for `read_curve`: JSON lines,
    `trainer_state.json`, TensorBoard, W&B or CSV. values: by the part of their names after the prefix, as written.
    Raises InputError where no log can be read.
    """
    log, form = log_at(Path(source))
    if form.rows is None or not any(_contains(file, prefix.encode()) for file in log.files):
        return
    try:
        for row in form.rows(log.files):
            values = {name.rpartition(prefix)[2]: value for name, value in row.items() if is_under(prefix, name)}
            if values and (step := _step(row)) is not None:
                yield step, values
    except (OSError, csv.Error) as error:
        raise InputError(f"{source}: cannot be read ({error}). Check the file and its permissions.") from None


def _step(row: dict[str, Any]) -> int | None:
    """The step of a row: that of the trainer before a logger's own count of calls."""
    named = {plain(name): value for name, value in row.items() if isinstance(name, str)}
    for name in (*ALIASES["step"], "_step"):
        step = as_number(named.get(name))
        if abs(step) < LARGEST_STEP and step == int(step):
            return int(step)
    return None


def _contains(file: Path, text: bytes) -> bool:
    """Whether a file has these bytes; a look that is cheap beside reading its rows."""
    try:
        with file.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(text) >= 0
    except (OSError, ValueError):  # an empty file
        return False
