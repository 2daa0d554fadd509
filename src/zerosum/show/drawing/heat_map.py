"""A heat map: a field for each row and column, with its number where there is room for it."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba

from zerosum.show.drawing.style import INK, MUTED, SERIES

RGBA = tuple[float, float, float, float]
FULL = 0.75  # opacity of -1 and 1: numbers stay readable on both papers
EMPTY: RGBA = (0.0, 0.0, 0.0, 0.0)


def heat_map(
    ax: Axes,
    rows: Sequence[Sequence[float | None]],
    colour: Callable[[float], RGBA],
    text: Callable[[float], str] | None,
    fontsize: float = 6.5,
) -> None:
    """Fields with their centres at whole numbers, the first row at the top.

    A value that is not known (NaN) is a dash, and None an empty field. text: what stands in a field, None: nothing.
    """
    known = [[value is not None and math.isfinite(value) for value in row] for row in rows]
    colours = [
        [colour(value) if is_known and value is not None else EMPTY for value, is_known in zip(row, which, strict=True)]
        for row, which in zip(rows, known, strict=True)
    ]
    down, across = len(rows), len(rows[0])
    ax.pcolormesh(np.arange(across + 1) - 0.5, np.arange(down + 1) - 0.5, colours)
    for y, row in enumerate(rows):
        for x, value in enumerate(row):
            number = "" if value is None else "—" if not known[y][x] else text(value) if text else ""
            if number:
                shade = INK if known[y][x] else MUTED
                label = ax.text(x, y, number, ha="center", va="center", color=shade, fontsize=fontsize)
                label.set_in_layout(False)  # it lies inside the panel, and to measure hundreds of them takes long
    ax.set_xlim(-0.5, across - 0.5)
    ax.set_ylim(down - 0.5, -0.5)
    ax.grid(False)
    ax.spines[:].set_visible(False)


def from_minus_to_plus(value: float) -> RGBA:
    """Blue at -1, no colour at 0, orange at 1."""
    return to_rgba(SERIES[1] if value > 0 else SERIES[0], FULL * abs(value))
