"""How names and numbers are written on a terminal.

Rich is loaded when something is shown, not before.
"""

import io
import sys
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from zerosum.show.names import printable
from zerosum.show.numbers import Ends, decimals, number

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text


NARROW, WIDE = 80, 100  # columns: below, no table of numbers; from here on an interval stands on one line


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


def overview(headings: Sequence[str], rows: Sequence[Sequence["Text"]], width: int) -> "RenderableType":
    """A table with one row for each run, or, where a terminal is too narrow for it, one line for each cell.

    headings: with the unit, or what a second line of the cells is, below each. width: of the terminal, in columns.
    """
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    if width < NARROW:
        listed = [[_line(*cell) for cell in zip(headings, row, strict=True)] for row in rows]
        return Group(*(Group(labelled(lines), "") for lines in listed))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(headings[0], overflow="fold", max_width=40 if width >= WIDE else 22)
    table.add_column(headings[1], no_wrap=True)
    for heading in headings[2:]:
        table.add_column(Text(heading), justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _line(heading: str, cell: "Text") -> tuple[str, str]:
    """Label and text of a cell by itself.

    >>> from rich.text import Text
    >>> _line("t_d\\nsteps", Text("800\\n[700,\\n900]")), _line("rows\\npoints", Text("90\\n40"))
    (('t_d', '800 [700, 900] steps'), ('rows, points', '90, 40'))
    """
    name, unit = f"{heading}\n".split("\n")[:2]
    first, *more = cell.plain.split("\n")
    if more and "[" not in more[0] and not first.endswith(" to"):
        return f"{name}, {unit}", ", ".join([first, *more])
    return name, " ".join([first, *more, unit]).strip() if first != "—" else first


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


def plain_table(*headings: str) -> "Table":
    """An empty table: names in the first column, numbers in the others."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for k, heading in enumerate(headings):
        table.add_column(Text(heading), justify="right" if k else "left", no_wrap=k > 0, overflow="fold")
    return table
