"""JSON lines: one object for each logged step, as in zerosum's own `metrics.jsonl`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from zerosum.curves._format import Choose, Columns, Format, as_number
from zerosum.errors import InputError


def _matches(head: bytes) -> bool:
    first, newline, _ = head.lstrip(b"\xef\xbb\xbf \t\r\n").partition(b"\n")
    if not first.startswith(b"{"):
        return False
    if not newline:  # a single line: complete, or cut off by a kill
        return True
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def _read(path: Path, choose: Choose) -> Columns:
    rows, said = _rows(path)
    if not rows:
        raise InputError(f"{path}: no complete line of JSON. Give a log with at least one logged step.")
    names = list(dict.fromkeys(key for row in rows for key in row))
    chosen = choose(names)
    axes = {axis: np.array([as_number(row.get(name)) for row in rows]) for axis, name in chosen.items()}
    return Columns(axes, chosen, tuple(said), "jsonl")


def _rows(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
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
        rows.append(_flat(row))
    # Only a line with nothing after it can be what a killed process left.
    return rows, [f"the last line ({bad[0]}) is cut off and was dropped"] if bad else []


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="\n") as handle:
        for number, line in enumerate(handle, start=1):
            if line.strip():
                yield number, line


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Nested objects as dotted names, the way W&B names them; one level, which is all that trainers write."""
    if not any(isinstance(value, dict) for value in row.values()):
        return row
    flat: dict[str, Any] = {}
    for key, value in row.items():
        inner = {f"{key}.{name}": entry for name, entry in value.items()} if isinstance(value, dict) else {key: value}
        flat.update(inner)
    return flat


FORMAT = Format(name="JSON lines", suffixes=(".jsonl", ".ndjson"), matches=_matches, read=_read, rank=10)
