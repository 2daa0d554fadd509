"""Dissent of every layer at every checkpoint: where it comes first."""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from zerosum.show.dissent import tables
from zerosum.show.dissent.subject import DissentOverTraining, known
from zerosum.show.drawing.axes import panels
from zerosum.show.drawing.legend import legend_below
from zerosum.show.drawing.style import INK, MUTED, SERIES, Layout, style
from zerosum.show.names import printable, told_apart
from zerosum.show.numbers import count

TITLE = "Dissent of the layers, over training"
HOW_TO_READ = (
    "A column for each checkpoint, a row for each layer, from the input down; the last row is the whole body. Colour "
    "and number are the dissent of all N tokens together, as one vector: 1 (full orange) where attraction and "
    "repulsion are opposite, −1 (full blue) where they are one, no colour where they are at right angles. It is 1 "
    "wherever the mean loss is stationary in that layer (of an embedding that is the head, too, only one of two paths "
    "is seen here). One vector has no interval."
)
OPPOSED, ALIKE = SERIES[1], SERIES[0]
FULL = 0.75  # opacity at −1 and 1: numbers stay readable on both papers
NUMBERED = {"wide": 14, "narrow": 6, "print": 9}  # columns up to which cells have room for a number


def cells(over: DissentOverTraining) -> dict[str, list[float]]:
    """Layer -> its dissent at each checkpoint, NaN where it is not known; the whole body last."""
    found: dict[str, list[float]] = {}
    for column, one in enumerate(over.documents):
        for part in (*one["layers"], {"name": "whole body", **(one["body"] or {"dissent": None})}):
            row = found.setdefault(part["name"], [math.nan] * len(over.documents))
            row[column] = known(part["dissent"])
    found["whole body"] = found.pop("whole body")
    return found


def plot(over: DissentOverTraining, layout: Layout = "wide") -> Figure:
    """One panel."""
    with style():
        rows = cells(over)
        fig, (ax,) = panels(1, layout, height=1.0 + 0.24 * len(rows), columns=1)
        _panel(ax, over, rows, layout)
        ends = ((ALIKE, "−1: one direction"), (OPPOSED, "1: total dissent"))
        handles = [Patch(color=colour, alpha=FULL, linewidth=0, label=label) for colour, label in ends]
        legend_below(fig, handles, layout)
    return fig


def _panel(ax: Axes, over: DissentOverTraining, rows: dict[str, list[float]], layout: Layout) -> None:
    numbers = len(over.documents) <= NUMBERED[layout]
    for y, row in enumerate(rows.values()):
        for x, value in enumerate(row):
            if math.isnan(value):
                ax.text(x, y, "—", ha="center", va="center", fontsize=7, color=MUTED)
                continue
            colour = OPPOSED if value > 0 else ALIKE
            ax.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, color=colour, alpha=FULL * abs(value), linewidth=0))
            if numbers:
                ax.text(x, y, _cell(value), ha="center", va="center", fontsize=7, color=INK)
    every = math.ceil(len(over.steps) / NUMBERED[layout])
    ax.set_xticks(range(0, len(over.steps), every), [count(step) for step in over.steps][::every])
    ax.set_yticks(range(len(rows)), told_apart(list(rows), 26 if layout != "narrow" else 18))
    ax.set_xlim(-0.5, len(over.steps) - 0.5)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.axhline(len(rows) - 1.5, color=MUTED, linewidth=0.8)
    ax.set_xlabel("step")
    ax.grid(False)
    ax.spines[:].set_visible(False)


def _cell(value: float) -> str:
    """Short; near 1, where the distance to it counts, with more digits.

    >>> _cell(0.5), _cell(0.9968), _cell(0.99996), _cell(-0.25), _cell(1.0)
    ('0.50', '0.997', '0.99996', '−0.25', '1.00')
    """
    places = 2 if value < 0.9 or value == 1 else 3 if value < 0.999 else 5
    return f"{value:.{places}f}".replace("-", "−")


def alt(over: DissentOverTraining) -> str:
    """What the figure shows, for who cannot see it."""
    said = [f"{printable(name, 60)}: {row[0]:.2f} to {row[-1]:.2f}" for name, row in cells(over).items()]
    first, last = count(over.steps[0]), count(over.steps[-1])
    return f"Dissent of each layer at each checkpoint, from step {first} to {last}. {'; '.join(said)}."


def table(over: DissentOverTraining) -> pd.DataFrame:
    """Each layer at each checkpoint, and the whole body."""
    body = pd.DataFrame([
        {"step": one["step"], "name": "whole body", "kind": "body", **{name: one["body"][name] for name in _COLUMNS}}
        for one in over.documents
        if one["body"]
    ])  # fmt: skip
    return pd.concat([tables.parts(over, "layers"), body], ignore_index=True)


_COLUMNS = ("numel", "dissent", "magnitude_ratio", "cancellation", "norm_attraction", "norm_repulsion")
