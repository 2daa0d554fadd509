"""Small multiples: one panel for each curve, smaller where there are many, and a limit that is said."""

from collections.abc import Sequence
from typing import TypeVar

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zerosum.report.drawing.axes import note_above, panels
from zerosum.report.drawing.style import Layout

MOST = 30  # panels in one figure
FEW = 9  # up to here panels have room for their numbers
T = TypeVar("T")


def shown(items: Sequence[T]) -> Sequence[T]:
    """The curves that are drawn; tables have them all."""
    return items[:MOST]


def multiples(count: int, layout: Layout, height: float, share: bool) -> tuple[Figure, list[Axes]]:
    """Panels for so many curves, at most `MOST` of them. height: inches of a panel while there are few."""
    drawn = max(1, min(count, MOST))
    crowded = drawn > FEW
    columns = {"wide": 5 if crowded else 3, "narrow": 1, "print": 4 if crowded else 2}[layout]
    fig, axes = panels(drawn, layout, height * (0.62 if crowded else 1), columns, share)
    if count > MOST:
        note_above(fig, f"The first {MOST} of {count} curves; the tables hold all of them.", layout)
    return fig, axes


def name_axes(axes: Sequence[Axes], layout: Layout, x: str, y: str) -> None:
    """Name the horizontal axis of the lowest panels and the vertical one of the leftmost."""
    for ax in axes:
        place = ax.get_subplotspec()
        if place is None:
            continue
        down, across = place.get_gridspec().get_geometry()
        row, column = divmod(place.num1, across)
        if place.num1 + across >= len(axes) or row == down - 1:
            ax.set_xlabel(x)
            ax.tick_params(labelbottom=True)
        if column == 0 or layout == "narrow":
            ax.set_ylabel(y)


def width_of_title(count: int, layout: Layout) -> int:
    """Characters that fit above a panel."""
    crowded = min(count, MOST) > FEW
    return {"wide": 22 if crowded else 40, "narrow": 40, "print": 18 if crowded else 36}[layout]
