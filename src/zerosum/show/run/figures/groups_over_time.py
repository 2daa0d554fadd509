"""The net ratio R of every group at every pair of checkpoints: who pays when."""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from zerosum.interference.labelled import GroupsOverTime, StoreFindings
from zerosum.show.drawing.axes import panels
from zerosum.show.drawing.legend import legend_below
from zerosum.show.drawing.style import INK, MUTED, Layout, style
from zerosum.show.names import printable
from zerosum.show.run.figures.groups import FALLS, RISES, shown

TITLE = "Which groups pay, over training"
HOW_TO_READ = (
    "A column for each pair of checkpoints, named by its earlier step, a row for each group. Colour and number are the "
    "group's own net ratio R: −1 (full blue) when all losses in it fall, +1 (full orange) when all rise, 0 (no colour) "
    "when the group's movement cancels inside it. A row that turns orange while the others are blue pays for them "
    "then. Bins whose borders differ from pair to pair are numbered from the lowest. R has its interval in the CSV."
)
Cells = dict[str, list[float]]


def rows_of(one: GroupsOverTime) -> Cells:
    """Group -> R at each pair, NaN where the group has no token then. Bins that move are named by their rank."""
    names = [[group.name for group in groups.split.groups] for _, groups in one.splits]
    known = {group.name for group, _ in shown(one.last[1])}
    fixed = all(known <= set(each) or set(each) <= set(names[-1]) for each in names)
    cells: Cells = {}
    for column, (_, groups) in enumerate(one.splits):
        for rank, group in enumerate(groups.split.groups, start=1):
            name = group.name if fixed else f"bin {rank}"
            if not fixed or name in known:
                row = cells.setdefault(name, [math.nan] * len(one.splits))
                row[column] = group.R
    return cells if fixed else dict(list(cells.items())[:12])


def plot(losses: StoreFindings, layout: Layout = "wide") -> Figure:
    """One panel for each way to split the tokens."""
    with style():
        drawn = [(one, rows_of(one)) for one in losses.groups]
        most = max(len(cells) for _, cells in drawn)
        fig, axes = panels(len(drawn), layout, height=0.95 + 0.21 * most, columns=2)
        for ax, (one, cells) in zip(axes, drawn, strict=True):
            _panel(ax, one, cells, layout)
        legend_below(
            fig, [Patch(color=FALLS, label="R = −1: all fell"), Patch(color=RISES, label="R = +1: all rose")], layout
        )
    return fig


def _panel(ax: Axes, one: GroupsOverTime, cells: Cells, layout: Layout) -> None:
    ax.set_title(f"by {one.by}")
    numbers = len(one.splits) <= (12 if layout == "wide" else 7)
    for y, row in enumerate(cells.values()):
        for x, R in enumerate(row):
            if math.isnan(R):
                ax.text(x, y, "—", ha="center", va="center", fontsize=6.5, color=MUTED)
                continue
            colour = RISES if R > 0 else FALLS
            ax.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, color=colour, alpha=0.75 * abs(R), linewidth=0))
            if numbers:
                ax.text(x, y, f"{R:+.2f}".replace("-", "−"), ha="center", va="center", fontsize=6.5, color=INK)
    steps = [f"{pair.from_step:,}" for pair, _ in one.splits]
    every = math.ceil(len(steps) / (12 if layout == "wide" else 6))
    ax.set_xticks(range(0, len(steps), every), steps[::every])
    ax.set_yticks(range(len(cells)), [printable(name, 24) for name in cells])
    ax.set_xlim(-0.5, len(steps) - 0.5)
    ax.set_ylim(len(cells) - 0.5, -0.5)
    ax.set_xlabel("earlier step t of the pair")
    ax.grid(False)
    ax.spines[:].set_visible(False)


def alt(losses: StoreFindings) -> str:
    """What the figure shows, for who cannot see it."""
    parts = []
    for one in losses.groups:
        last = {name: row[-1] for name, row in rows_of(one).items()}
        parts.append(", ".join(f"{printable(name, 40)}: R = {R:.2f}" for name, R in last.items()))
    said = "; ".join(f"by {one.by}, at the last pair {part}" for one, part in zip(losses.groups, parts, strict=True))
    return f"Net ratio of each group of tokens at each pair of checkpoints: {said}."


def table(losses: StoreFindings) -> pd.DataFrame:
    """The cells that are drawn; all groups with intervals are in groups.csv."""
    return pd.DataFrame([
        {"by": one.by, "group": printable(name), "from_step": pair.from_step, "to_step": pair.to_step, "R": R}
        for one in losses.groups
        for name, row in rows_of(one).items()
        for (pair, _), R in zip(one.splits, row, strict=True)
    ])  # fmt: skip
