"""How names and numbers are written on a terminal.

Light on purpose: what `zerosum.report` has for pages comes with matplotlib, which takes longer to load than a fit.
"""

import io
import math
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

Ends = tuple[float, float] | None
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\ufffe\uffff]")
HUGE = 1e9  # from here on digits are counted, not written


def printable(text: str, longest: int = 200) -> str:
    """Text that somebody else wrote as one line that moves no cursor and hides nothing.

    >>> printable("a" + chr(27) + "[2J", longest=4)
    'a�[…'
    """
    clean = _UNPRINTABLE.sub("\ufffd", text)
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def screen() -> "Console":
    """Stdout for people. What the terminal's encoding lacks becomes a question mark, not an error."""
    from rich.console import Console

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    return Console(highlight=False, markup=False, emoji=False)


def labelled() -> "Table":
    """An empty grid of labels and what they stand for, set in from the left."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True, min_width=10)
    grid.add_column(overflow="fold")
    return grid


def columns_in_words(columns: Mapping[str, str]) -> str:
    """Which of a source's columns is which axis.

    >>> columns_in_words({"step": "_step", "loss": "train/loss"})
    "step is '_step', loss is 'train/loss'"
    """
    return ", ".join(f"{axis} is {name!r}" for axis, name in columns.items())


def count(value: int | float) -> str:
    """A whole number with thousands separators; others as short as they are; a dash where it is not known.

    >>> count(262152.0), count(0.5), count(float("nan"))
    ('262,152', '0.5', '—')
    """
    if not math.isfinite(value):
        return "—"
    return f"{value:,.0f}" if value == math.floor(value) and abs(value) < HUGE else f"{value:g}"


def number(value: int | float, places: int) -> str:
    """One number with so many decimal places; a dash where it is not known.

    >>> number(-1234.5, 1), number(float("nan"), 2), number(9.68e10, 0)
    ('−1,234.5', '—', '9.7e+10')
    """
    if not math.isfinite(value):
        return "—"
    return (f"{value:.1e}" if abs(value) >= HUGE else f"{value:,.{places}f}").replace("-", "−")


def decimals(value: int | float, ends: Ends = None, digits: int = 3) -> int:
    """Decimal places: two significant digits of the interval's half width, or so many `digits` of the value.

    >>> decimals(2.5858, (2.53, 2.64)), decimals(176.3, (150.0, 210.0)), decimals(0.0123)
    (3, 0, 4)
    """
    half = (ends[1] - ends[0]) / 2 if ends else 0.0
    size, wanted = (half, 2) if half > 0 and math.isfinite(half) else (abs(value), digits)
    if size == 0 or not math.isfinite(size):
        return 0
    return max(0, min(6, wanted - 1 - math.floor(math.log10(size))))


def estimate(value: int | float, ends: Ends, wide: bool) -> "Text":
    """A number with its interval below it, on one line where there is room."""
    from rich.text import Text

    places = decimals(value, ends)
    text = Text(number(value, places))
    if ends:
        low, high = (number(end, places) for end in ends)
        text.append(f"\n[{low},{' ' if wide else chr(10)}{high}]", style="dim")
    return text
