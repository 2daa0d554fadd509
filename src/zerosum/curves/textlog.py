"""Text logs: the lines that a training script prints, one for each logged step, among other output."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zerosum.curves._format import Choose, Columns, Format
from zerosum.curves._note import Note, left_out
from zerosum.curves.numerals import as_number
from zerosum.errors import InputError

# A number as printf and Python print it. It has to end before a blank or a mark: a line that was cut off inside a
# number must not give a smaller one. Atomic, (?>...), so that a million digits are not tried in every length.
NUMBER = r"(?>[-+]?(?:\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|[nN]a[nN]|[iI]nf))(?=[\s,|(])"
START = r"(?:^|(?<=[\s\]]))"  # of a line, or after a logger's own prefix: "[rank0]: ", "12:30 INFO - "
COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True)
class TextLog:
    """The format of the lines that one script prints.

    name: for messages and `LossCurve.format`. rows: regular expressions of lines, with named groups; each group is a
    column. called: group -> column name, where a group's name cannot be the column's. tokens: expression with the group
    `tokens`, the tokens of one step, printed once. notes: for every curve read from such a log. beside: lines that are
    read as well, but that other scripts print too, so that they do not tell the format.
    The first group is the step. Use `NUMBER` for values, anchor the expressions so that no other script's lines fit,
    and bound what may stand between the groups, so that a hostile line takes no longer than others.
    """

    name: str
    rows: tuple[str, ...]
    rank: int
    called: tuple[tuple[str, str], ...] = ()
    tokens: str | None = None
    notes: tuple[Note, ...] = ()
    beside: tuple[str, ...] = ()

    def format(self) -> Format:
        """The reader of such logs."""
        rows = tuple(re.compile(row, re.MULTILINE) for row in self.rows)
        patterns = rows + tuple(re.compile(row, re.MULTILINE) for row in self.beside)

        def matches(head: bytes, name: str) -> bool:
            text = decoded(head)
            return text is not None and any(row.search(text) for row in rows)

        def read(paths: tuple[Path, ...], choose: Choose) -> Columns:
            return self._read(paths[0], patterns, choose)

        return Format(self.name, (), matches, read, self.rank, anywhere=True)

    def _read(self, path: Path, patterns: tuple[re.Pattern[str], ...], choose: Choose) -> Columns:
        text = decoded(path.read_bytes())
        matches = sorted((match for row in patterns for match in row.finditer(text or "")), key=re.Match.start)
        if text is None or not matches:
            raise InputError(f"{path}: no complete line of a {self.name}. Check the file.")
        called = dict(self.called)
        rows: list[dict[str, Any]] = [
            {called.get(key, key): value for key, value in match.groupdict().items() if value} for match in matches
        ]
        notes = list(self.notes)
        per_step, note = _tokens_per_step(self.tokens, text)
        counter = next(iter(patterns[0].groupindex))
        for row in rows if per_step else ():
            row["tokens"] = as_number(row[called.get(counter, counter)]) * per_step
        chosen = choose(list(dict.fromkeys(key for row in rows for key in row)))
        if note is not None:
            notes.append(note)
        rows = [row for row in rows if chosen["loss"] in row]  # lines of another kind are not rows without a loss
        axes = {axis: np.array([as_number(row.get(name)) for row in rows]) for axis, name in chosen.items()}
        if _is_cut_off(text, matches[-1].start(), patterns):
            notes.append(Note("cut-off", "the last line is cut off and was dropped"))
        return Columns(axes, chosen, tuple(notes), self.name)


def _tokens_per_step(pattern: str | None, text: str) -> tuple[int, Note | None]:
    """Tokens of one step, 0 where the log does not name them, and a note on it."""
    counts = {int(hit["tokens"].replace(",", "")[:18]) for hit in re.finditer(pattern, text)} if pattern else set()
    if len(counts) == 1:
        (count,) = counts
        return count, Note("converted", f"tokens are steps times {count:,}, the tokens of a step that the log names")
    if not counts:
        return 0, None
    return 0, left_out("tokens", f"the log names {len(counts)} different numbers of tokens per step")


def _is_cut_off(text: str, last_match: int, patterns: tuple[re.Pattern[str], ...]) -> bool:
    start = text.rfind("\n") + 1
    unfinished = text[start:]
    return bool(unfinished) and last_match < start and any(row.search(unfinished + "\n") for row in patterns)


def decoded(data: bytes) -> str | None:
    """Text without colours and with one line for each carriage return; None where the bytes are no text."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):  # what PowerShell's > writes
        text = data.decode("utf-16", errors="replace")
    elif b"\0" in data:
        return None
    else:
        text = data.decode("utf-8-sig", errors="replace")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return COLOURS.sub("", text) if "\x1b" in text else text
