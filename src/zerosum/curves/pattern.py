"""Text logs read by a regular expression of the caller's: `step=(?P<step>\\d+) .* loss=(?P<loss>\\S+)`."""

import re
from pathlib import Path
from typing import Any

from zerosum.curves._format import GENERAL, Columns, Format, columns_of_rows
from zerosum.curves._note import Note
from zerosum.curves.columns import Chooser
from zerosum.curves.numerals import as_number, scaled
from zerosum.curves.textlog import decoded
from zerosum.errors import InputError

LONGEST = 2_000  # characters of a line that are searched, so that a pattern with many ways to match ends


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """The pattern, ready to use. Raises InputError where it is none, or has no group `loss`."""
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise InputError(f"pattern: {pattern[:60]!r} is no regular expression ({error}). Mend it.") from None
    if "loss" not in compiled.groupindex:
        raise InputError(
            f"pattern: {pattern[:60]!r} has no group called loss. Write (?P<loss>...) around the loss, "
            "and (?P<step>...), (?P<tokens>...), (?P<lr>...) around what else there is."
        )
    return compiled


def by_pattern(pattern: re.Pattern[str]) -> Format:
    """The reader of text logs by a pattern."""

    def read(paths: tuple[Path, ...], choose: Chooser) -> Columns:
        return read_pattern(paths[-1], pattern, choose)

    return Format("text pattern", (), lambda head, name: True, read, GENERAL)


def read_pattern(path: Path, pattern: re.Pattern[str], choose: Chooser) -> Columns:
    """The rows that a pattern finds, line by line; each group is a column.

    A loss that is found without a step, by an alternative of the pattern, belongs to the last step found before it.
    Raises InputError where nothing is found.
    """
    text = decoded(path.read_bytes())
    rows: list[dict[str, Any]] = []
    step: Any = None
    for line in (text or "").split("\n"):
        for found in pattern.finditer(line[:LONGEST]):
            row = {name: _number(value.strip()) for name, value in found.groupdict().items() if value}
            step = row.get("step", step)
            if "loss" in row:
                rows.append(row if step is None else {"step": step} | row)
    if not rows:
        raise InputError(f"{path}: the pattern {pattern.pattern[:60]!r} finds no loss in it, line by line. Mend it.")
    shown = " ".join(pattern.pattern.split())[:120]
    notes = [Note("text-log", f"{len(rows)} losses of lines that match the pattern {shown}")]
    return columns_of_rows(rows, choose, str(path), notes=notes, format="text pattern")


def _number(text: str) -> Any:
    """A number without commas between its groups of digits; any other text as it is."""
    plain = text.replace(",", "") if re.fullmatch(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d*)?[kKMBGT]?", text) else text
    rounded = scaled(plain)
    number = as_number(plain) if rounded is None else rounded
    return number if number == number else text
