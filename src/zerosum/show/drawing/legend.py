"""Legends: what an entry looks like, and where a legend stands so that it hides nothing."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from zerosum.show.drawing.axes import WIDTH
from zerosum.show.drawing.style import INK, Layout, RunStyle


def entry(label: str, **look: Any) -> Line2D:
    """A legend entry that belongs to no run: in ink unless a colour is given; a line, or a marker without a line."""
    alone = {"linestyle": ""} if "marker" in look else {}
    return Line2D([], [], label=label, **({"color": INK} | alone | look))


def run_handles(looks: Sequence[RunStyle]) -> list[Line2D]:
    """Legend entries of the runs, one for each size."""
    return [
        entry(look.label, color=look.colour, marker=look.marker, linestyle=look.line) for look in looks if look.label
    ]


def legend_below(fig: Figure, handles: Sequence[Artist], layout: Layout) -> None:
    """One legend under all panels, where it hides nothing: as few rows as fit, read from left to right."""
    for rows in range(1, len(handles) + 1):
        columns = math.ceil(len(handles) / rows)
        filled = [handles[k::columns] for k in range(columns)]
        longest = [max(len(str(handle.get_label())) for handle in column) for column in filled]
        if sum(0.072 * length + 0.72 for length in longest) <= WIDTH[layout]:  # inches, estimated
            break
    ordered = [handle for column in filled for handle in column]  # matplotlib fills column by column
    fig.legend(handles=ordered, loc="outside lower center", ncols=columns, handlelength=2.8, columnspacing=1.8)
