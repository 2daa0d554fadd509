"""One column of numbers in a text file, with a name above it or none: losses without steps."""

import re
from pathlib import Path

from zerosum.curves._format import Choose, Columns, Format, columns_of_rows
from zerosum.curves._note import Note
from zerosum.curves.json_shapes import refuse_no_losses
from zerosum.curves.numerals import as_number
from zerosum.curves.textlog import decoded
from zerosum.errors import InputError

_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf)", re.IGNORECASE)


def _matches(head: bytes, name: str) -> bool:
    lines = _lines(head)[:100]
    numbers = lines[1:-1] if len(lines) > 2 else lines[1:]  # the first may be a name, the last be cut off
    return bool(numbers) and all(map(_NUMBER.fullmatch, numbers)) and not re.search(r"[,;|\t]", lines[0])


def _lines(data: bytes) -> list[str]:
    lines = [line.strip() for line in (decoded(data) or "").split("\n")]
    return [line for line in lines if line and not line.startswith("#")]


def _read(paths: tuple[Path, ...], choose: Choose) -> Columns:
    path = paths[0]
    data = path.read_bytes()
    lines = _lines(data)
    notes = []
    name = "loss"
    is_named = bool(lines) and not _NUMBER.fullmatch(lines[0])
    if is_named:
        name = lines.pop(0)
    if lines and not data.endswith((b"\n", b"\r", b"\0")) and len(lines[-1]) < len(lines[0]):
        notes.append(Note("cut-off", f"the last line ({lines[-1][:30]}) has no end, is likely cut off and was dropped"))
        lines.pop()
    if not lines:
        raise InputError(f"{path}: no numbers in it. Give a log with at least one loss.")
    if not is_named:
        refuse_no_losses([as_number(line) for line in lines], choose)
    return columns_of_rows([{name: line} for line in lines], choose, str(path), notes=notes, format="numbers")


FORMAT = Format(name="column of numbers", named=(), matches=_matches, read=_read, rank=89)
