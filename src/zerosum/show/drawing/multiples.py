"""Small multiples: one panel for each curve, smaller where there are many, and a limit that the figure states."""

from collections.abc import Sequence
from typing import TypeVar

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zerosum.show.drawing.axes import note_above, panels
from zerosum.show.drawing.style import Layout
from zerosum.show.names import short_distinct_names

MOST_PANELS = 30
FEW_PANELS = 9  # up to here panels have room for their numbers
T = TypeVar("T")


def shown(items: Sequence[T]) -> Sequence[T]:
    """The curves that are drawn; tables have them all."""
    return items[:MOST_PANELS]


def multiples(
    count: int, layout: Layout, height: float, share: bool, most: int = MOST_PANELS
) -> tuple[Figure, list[Axes]]:
    """Panels for so many curves or pairs, at most `most` of them. height: inches of a panel while there are few."""
    drawn = max(1, min(count, most))
    crowded = drawn > FEW_PANELS
    columns = {"wide": 5 if crowded else 3, "narrow": 1, "print": 4 if crowded else 2}[layout]
    fig, axes = panels(drawn, layout, height * (0.62 if crowded else 1), columns, share)
    if count > most:
        note_above(fig, f"The first {most} of {count}; fits.csv holds all of them.", layout)
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


def titles(names: Sequence[str], layout: Layout) -> list[str]:
    """What stands above each panel, as long as there is room."""
    crowded = min(len(names), MOST_PANELS) > FEW_PANELS
    room = {"wide": 24 if crowded else 42, "narrow": 42, "print": 20 if crowded else 38}
    return short_distinct_names(names, room[layout])


def ticks(count: int) -> int:
    """How many ticks an axis of a panel has room for."""
    return 4 if min(count, MOST_PANELS) > FEW_PANELS else 7
