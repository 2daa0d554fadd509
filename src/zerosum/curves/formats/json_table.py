"""JSON documents: an array of rows, `[{"step": 1, "loss": 8.1}, ...]`, columns, a bare list, an object keyed by step."""

import re
from pathlib import Path

from zerosum.curves._format import Choose, Columns, Format, columns_of_rows
from zerosum.curves.json_file import load
from zerosum.curves.json_shapes import rows_of
from zerosum.errors import InputError

_LIST = re.compile(rb"\s*\[\s*(?:[\[{\-\d]|null\b|NaN\b)")
_OBJECT = re.compile(rb'\s*\{\s*(?:\n\s*"|"(?:[^"\\]|\\.){0,200}"\s*:\s*[\[{])')


def _matches(head: bytes, name: str) -> bool:
    head = head.removeprefix(b"\xef\xbb\xbf")
    # Objects on lines of their own are JSON lines, even where their first value is a list.
    return bool(_LIST.match(head) or (_OBJECT.match(head) and not re.search(rb"\n\{", head)))


def _read(paths: tuple[Path, ...], choose: Choose) -> Columns:
    path = paths[0]
    rows, notes = rows_of(load(path), choose)
    if not rows:
        raise InputError(f"{path}: no rows in it. Give an array of objects, one for each logged step.")
    return columns_of_rows(rows, choose, str(path), notes=notes, format="json")


FORMAT = Format(name="JSON table", named=("*.json",), matches=_matches, read=_read, rank=8)
