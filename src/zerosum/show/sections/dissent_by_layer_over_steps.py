"""Dissent of every layer at every checkpoint: where it comes first."""

import math
from typing import Any

from zerosum.dissent import DissentOverTraining, estimate_of
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.names import printable, short_distinct_names
from zerosum.show.report import Report
from zerosum.show.sections import _dissent as shared

TITLE = "Dissent of the layers, over training"
PLACE = 68
HOW_TO_READ = (
    "A column for each checkpoint, a row for each layer, from the input down; the last row is the whole body. Colour "
    "and number are the dissent of all N tokens together, as one vector: 1 (full orange) where attraction and "
    "repulsion are opposite, −1 (full blue) where they point one way, no colour where they are at right angles. It is "
    "1 wherever the mean loss is stationary in that layer (of an embedding that is the head, too, only one of two "
    "paths is seen here). One vector has no interval."
)
OPPOSED, ALIKE = 1, 0  # colours
NUMBERED = {"wide": 14, "narrow": 6, "print": 9}  # columns up to which cells have room for a number


def absent(report: Report) -> str | None:
    """A single checkpoint has no course over training."""
    if (why := shared.none(report)) is not None:
        return why
    over = shared.measured(report)
    known = any(math.isfinite(value) for row in cells(over).values() for value in row)
    return None if known and len(over.checkpoints) > 1 else ""


def cells(over: DissentOverTraining) -> dict[str, list[float]]:
    """Layer -> its dissent at each checkpoint, NaN where it is not known; the whole body last."""
    rows: dict[str, list[float]] = {}
    columns = list(enumerate(over.checkpoints))
    parts = [(column, part) for column, checkpoint in columns for part in checkpoint.layers]
    parts += [(column, part) for column, checkpoint in columns for part in shared.whole_body(checkpoint)]
    for column, part in parts:
        row = rows.setdefault(part.name, [math.nan] * len(columns))
        row[column] = estimate_of(part.forces, "dissent", over.checkpoints[column].N).value
    return rows


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """One panel."""
    over = shared.measured(report)
    with d.style():
        rows = cells(over)
        fig, (ax,) = d.panels(1, layout, height=1.0 + 0.24 * len(rows), columns=1)
        _panel(ax, over, rows, layout)
        ends = ((ALIKE, "−1: one direction"), (OPPOSED, "1: total dissent"))
        entries = [d.Patch(color=d.SERIES[colour], alpha=d.FULL, linewidth=0, label=label) for colour, label in ends]
        d.legend_below(fig, entries, layout)
    return fig


def _panel(ax: "d.Axes", over: DissentOverTraining, rows: dict[str, list[float]], layout: "d.Layout") -> None:
    numbered = len(over.checkpoints) <= NUMBERED[layout]
    d.heat_map(ax, list(rows.values()), d.from_minus_to_plus, in_cell if numbered else None, fontsize=7.0)
    every = math.ceil(len(over.steps) / NUMBERED[layout])
    ax.set_xticks(range(0, len(over.steps), every), [n.count(step) for step in over.steps][::every])
    ax.set_yticks(range(len(rows)), short_distinct_names(list(rows), 26 if layout != "narrow" else 18))
    ax.axhline(len(rows) - 1.5, color=d.MUTED, linewidth=0.8)
    ax.set_xlabel("step")


def in_cell(value: float) -> str:
    """Short; near 1, where the distance to it counts, with more digits.

    >>> in_cell(0.5), in_cell(0.9968), in_cell(0.99996), in_cell(-0.25), in_cell(1.0)
    ('0.50', '0.997', '0.99996', '−0.25', '1.00')
    """
    places = 2 if value < 0.9 or value == 1 else 3 if value < 0.999 else 5
    return n.number(value, places)


def alt(report: Report) -> str:
    """Alt text."""
    over = shared.measured(report)
    courses = [
        f"{printable(name, 60)}: {n.number(row[0], 2)} to {n.number(row[-1], 2)}" for name, row in cells(over).items()
    ]
    first, last = n.count(over.steps[0]), n.count(over.steps[-1])
    return f"Dissent of each layer at each checkpoint, from step {first} to {last}. {'; '.join(courses)}."


def numbers(report: Report) -> list[dict[str, Any]]:
    """Each layer at each checkpoint, and the whole body."""
    checkpoints = shared.measured(report).checkpoints
    layers = [row for checkpoint in checkpoints for row in shared.part_rows(checkpoint, checkpoint.layers)]
    bodies = [row for checkpoint in checkpoints for row in shared.part_rows(checkpoint, shared.whole_body(checkpoint))]
    return layers + bodies
