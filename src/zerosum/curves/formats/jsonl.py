"""JSON lines: one object for each logged step, as in zerosum's own `metrics.jsonl`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zerosum.curves._format import Choose, Columns, Format, columns_of_rows, flat
from zerosum.curves._note import Note
from zerosum.curves.folders import OUR_LOG
from zerosum.curves.held_out import rows_of_the_curve
from zerosum.curves.json_shapes import rows_of
from zerosum.errors import InputError


def _matches(head: bytes, name: str) -> bool:
    first, newline, _ = head.lstrip(b"\xef\xbb\xbf \t\r\n").partition(b"\n")
    if not first.startswith(b"{"):
        return False
    if not newline:  # a single line: complete, or cut off by a kill
        return True
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def _read(paths: tuple[Path, ...], choose: Choose) -> Columns:
    path = paths[0]
    rows, notes = _rows(path)
    if not rows:
        raise InputError(f"{path}: no complete line of JSON. Give a log with at least one logged step.")
    if len(rows) == 1 and not notes:  # a whole document on one line
        rows, notes = rows_of(rows[0], choose)
    rows = rows_of_the_curve([flat(row) for row in rows], choose)
    return columns_of_rows(rows, choose, str(path), notes=notes, format="jsonl")


def _rows(path: Path) -> tuple[list[dict[str, Any]], list[Note]]:
    rows: list[dict[str, Any]] = []
    bad: tuple[int, str] | None = None
    for number, line in _lines(path):
        if bad is not None:
            raise InputError(f"{path}: line {bad[0]} is not a JSON object ({bad[1]}). Remove or mend that line.")
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            bad = (number, getattr(error, "msg", None) or type(error).__name__)
            continue
        if not isinstance(row, dict):
            bad = (number, f"a {type(row).__name__}")
            continue
        rows.append(row)
    # Only a line with nothing after it can be what a killed process left.
    return rows, [Note("cut-off", f"the last line ({bad[0]}) is cut off and was dropped")] if bad else []


def _logged(paths: tuple[Path, ...]) -> Iterator[dict[str, Any]]:
    return map(flat, _rows(paths[0])[0])


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="\n") as handle:
        for number, line in enumerate(handle, start=1):
            if line.strip():
                yield number, line


FORMAT = Format(
    name="JSON lines",
    named=("*.jsonl", "*.ndjson"),
    matches=_matches,
    read=_read,
    rank=10,
    places=(OUR_LOG,),
    rows=_logged,
)
