"""Text logs of any training script: `name: value`, `name=value`, `N/M`, blocks below a step, dicts, tqdm bars."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from zerosum.curves._format import GENERAL, Choose, Columns, Format, columns_of_rows
from zerosum.curves._note import Note
from zerosum.curves.columns import Chooser
from zerosum.curves.line_fields import LONGEST, Line, read_line
from zerosum.curves.text_names import FEWEST
from zerosum.curves.text_rows import TextRows, rows_of_lines
from zerosum.curves.textlog import decoded
from zerosum.errors import InputError

_LOSS = re.compile(r"(?:loss|nll|cross.?entropy|xent|\bce\b)[^\n\d]{0,40}\d", re.IGNORECASE)
MOST_LINES_OF_DICT = 60  # a dict may be printed over several lines


def _matches(head: bytes, name: str) -> bool:
    text = decoded(head)
    return text is not None and len(list(islice(_LOSS.finditer(text), FEWEST))) == FEWEST


def _read(paths: tuple[Path, ...], choose: Choose) -> Columns:
    path = paths[0]
    text = decoded(path.read_bytes())
    if text is None:
        raise InputError(f"{path}: not a text. Give a text log.")
    lines = [line for line in map(read_line, _whole(text)) if line.numbers or line.is_validation]
    return columns_of_lines(lines, choose, str(path))


def columns_of_lines(lines: list[Line], choose: Chooser, label: str) -> Columns:
    """The curve in the lines of a text log, as `Columns`."""
    text = rows_of_lines(lines, choose)
    overrides = {**choose.overrides, "loss": text.loss, "step": text.step}
    inner = Chooser(choose.source, overrides, choose.where, choose.every)
    columns = columns_of_rows(text.rows, inner, label, notes=text.notes, format="text log")
    choose.notes.extend(inner.notes)
    choose.rows_chosen |= inner.rows_chosen
    return replace(columns, notes=(_what_was_taken(text, columns), *columns.notes))


def _what_was_taken(text: TextRows, columns: Columns) -> Note:
    axes = {"loss": "loss", "step": "step", "tokens": "tokens", "lr": "rate"}
    named = [f"{word} {columns.names[axis]!r}" for axis, word in axes.items() if axis in columns.names]
    left_out = f"; {text.of_validation} lines of validation left out" if text.of_validation else ""
    return Note("text-log", f"printed lines: {', '.join(named)}, as in {text.example[:60]!r}{left_out}")


def _whole(text: str) -> Iterator[str]:
    """The lines of a text; a dict that is printed over several lines is one line. The last line may be cut off."""
    lines = text.replace("\b", "\n").split("\n")
    if lines[-1] and len(lines) > 1:
        lines[-1] = ""
    waiting: list[str] = []
    for line in lines:
        if waiting:
            waiting.append(line)
            if "}" in line or len(waiting) > MOST_LINES_OF_DICT:
                yield from [" ".join(waiting)] if "}" in line else waiting
                waiting = []
        elif line.count("{") > line.count("}") and len(line) < LONGEST:
            waiting.append(line)
        elif line.strip():
            yield line
    yield from waiting


FORMAT = Format(name="text log", named=(), matches=_matches, read=_read, rank=GENERAL, anywhere=True)
