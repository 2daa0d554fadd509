"""How names and numbers are written on a terminal.

Rich is loaded when something is shown, not before.
"""

import io
import sys
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from zerosum.report.names import printable
from zerosum.report.numbers import Ends, decimals, number

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text


def screen() -> "Console":
    """Stdout for people. What the terminal's encoding lacks becomes a question mark, not an error."""
    from rich.console import Console

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    return Console(highlight=False, markup=False, emoji=False)


def labelled(rows: Iterable[tuple[str, str]] = (), styles: Mapping[str, str] = MappingProxyType({})) -> "Table":
    """A grid of labels and what they stand for, in somebody's words; of equal labels in a row the first is written."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True, min_width=10)
    grid.add_column(overflow="fold")
    said = ""
    for label, text in rows:
        grid.add_row(Text("" if label == said else label, styles.get(label, "")), Text(printable(text, 1_000)))
        said = label
    return grid


def columns_in_words(columns: Mapping[str, str]) -> str:
    """Which of a source's columns is which axis.

    >>> columns_in_words({"step": "_step", "loss": "train/loss"})
    "step is '_step', loss is 'train/loss'"
    """
    return ", ".join(f"{axis} is {name!r}" for axis, name in columns.items())


def estimate(value: int | float, ends: Ends, wide: bool) -> "Text":
    """A number with its interval below it, on one line where there is room."""
    from rich.text import Text

    places = decimals(value, ends)
    text = Text(number(value, places))
    if ends:
        low, high = (number(end, places) for end in ends)
        text.append(f"\n[{low},{' ' if wide else chr(10)}{high}]", style="dim")
    return text
