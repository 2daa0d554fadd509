"""JSON documents: rows, `[{"step": 1, "loss": 8.1}, ...]`, columns, a bare list, an object keyed by step."""

import re
from pathlib import Path

from zerosum.curves._format import Choose, Columns, Format, columns_of_rows
from zerosum.curves.json_file import load
from zerosum.curves.json_shapes import rows_of
from zerosum.errors import InputError

_ROWS = re.compile(rb"\s*\[\s*[\[{]")
_NUMBERS = re.compile(rb"\s*\[(?:[\d\s,.eE+\-\]]|null|NaN|-?Infinity)*")
_COLUMNS = re.compile(rb'\s*\{\s*"(?:[^"\\]|\\.){0,200}"\s*:\s*\[')
_OBJECT = re.compile(rb'\s*\{\s*(?:\n\s*"|"(?:[^"\\]|\\.){0,200}"\s*:\s*\{)')
_OF_LOSSES = re.compile(rb'loss|nll|"train|"\d+"\s*:', re.IGNORECASE)  # no configuration


def _matches(head: bytes, name: str) -> bool:
    head = head.removeprefix(b"\xef\xbb\xbf")
    # Objects on lines of their own are JSON lines, even where their first value is a list.
    numbers = _NUMBERS.fullmatch(head[:4_000])
    is_object = _COLUMNS.match(head) or (_OBJECT.match(head) and _OF_LOSSES.search(head))
    return bool(_ROWS.match(head) or numbers or (is_object and not re.search(rb"\n\{", head)))


def _read(paths: tuple[Path, ...], choose: Choose) -> Columns:
    path = paths[0]
    rows, notes = rows_of(load(path), choose)
    if not rows:
        raise InputError(f"{path}: no rows in it. Give an array of objects, one for each logged step.")
    return columns_of_rows(rows, choose, str(path), notes=notes, format="json")


FORMAT = Format(name="JSON table", named=("*.json",), matches=_matches, read=_read, rank=8)
