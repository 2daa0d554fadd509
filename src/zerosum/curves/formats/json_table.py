"""JSON tables: an array of rows, `[{"step": 1, "loss": 8.1}, ...]`, or columns, `{"step": [...], "loss": [...]}`."""

import re
from pathlib import Path

from zerosum.curves._format import Choose, Columns, Format, columns_of_rows, flat
from zerosum.curves._note import Note
from zerosum.curves.json_file import load
from zerosum.errors import InputError

_ROWS = re.compile(rb"\s*\[\s*\{")
_COLUMNS = re.compile(rb'\s*\{\s*"(?:[^"\\]|\\.){0,200}"\s*:\s*\[')


def _matches(head: bytes, name: str) -> bool:
    head = head.removeprefix(b"\xef\xbb\xbf")
    # Objects on lines of their own are JSON lines, even where their first value is a list.
    return bool(_ROWS.match(head) or (_COLUMNS.match(head) and not re.search(rb"\n\{", head)))


def _read(paths: tuple[Path, ...], choose: Choose) -> Columns:
    path = paths[0]
    whole = load(path)
    notes = []
    if isinstance(whole, dict):
        lists = {name: values for name, values in whole.items() if isinstance(values, list)}
        chosen = choose(list(lists))
        lengths = {name: len(lists[name]) for name in chosen.values()}
        if len(set(lengths.values())) > 1:
            lengths_found = ", ".join(f"{name[:60]!r} {k}" for name, k in lengths.items())
            raise InputError(
                f"{path}: columns of different lengths ({lengths_found}). Which value belongs to which step?"
            )
        rows = [
            dict(zip(lengths, values, strict=True)) for values in zip(*(lists[name] for name in lengths), strict=True)
        ]
        return columns_of_rows(rows or [dict.fromkeys(lengths)], choose, str(path), notes=(), format="json")
    rows = [flat(row) for row in whole if isinstance(row, dict)] if isinstance(whole, list) else []
    if not rows:
        raise InputError(f"{path}: no rows in it. Give an array of objects, one for each logged step.")
    if len(rows) < len(whole):
        notes.append(Note("entries-ignored", f"{len(whole) - len(rows)} entries that are no objects dropped"))
    return columns_of_rows(rows, choose, str(path), notes=notes, format="json")


FORMAT = Format(name="JSON table", named=("*.json",), matches=_matches, read=_read, rank=8)
