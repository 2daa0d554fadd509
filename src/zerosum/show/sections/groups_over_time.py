"""Section: the net ratio R of every group at every pair of checkpoints of one run."""

import math
from typing import Any

from zerosum.interference.labelled import GroupsOverTime
from zerosum.show import drawing as d
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.sections._single_run import absent_of_several, findings_of
from zerosum.show.sections.groups import largest

TITLE = "Which groups pay, over training"
PLACE = 38
HOW_TO_READ = (
    "A column for each pair of checkpoints, named by its earlier step, a row for each group. Colour and number are the "
    "group's own net ratio R: −1 (full blue) when all losses in it fall, +1 (full orange) when all rise, 0 (no colour) "
    "when the group's movement cancels inside it. A row that turns orange while the others are blue pays for them "
    "then. Bins whose borders differ from pair to pair are numbered from the lowest. R has its interval in the CSV of "
    "the groups."
)
MOST = 12  # bins in a panel
Cells = dict[str, list[float]]


def absent(report: Report) -> str | None:
    """For one run, where a grouping could be measured at more than one pair."""
    if absent_of_several(report) is not None:
        return ""
    return None if any(len(grouping.splits) > 1 for grouping in findings_of(report).groups) else ""


def rows_of(grouping: GroupsOverTime) -> Cells:
    """Group -> R at each pair, NaN where the group has no token then. Bins that move are named by their rank."""
    names = [[group.name for group in groups.split.groups] for _, groups in grouping.splits]
    known = {group.name for group, _ in largest(grouping.last[1])}
    fixed = all(known <= set(each) or set(each) <= set(names[-1]) for each in names)
    cells: Cells = {}
    for column, (_, groups) in enumerate(grouping.splits):
        for rank, group in enumerate(groups.split.groups, start=1):
            name = group.name if fixed else f"bin {rank}"
            if not fixed or name in known:
                row = cells.setdefault(name, [math.nan] * len(grouping.splits))
                row[column] = group.R
    return cells if fixed else dict(list(cells.items())[:MOST])


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """One panel for each way to split the tokens."""
    with d.style():
        drawn = [(grouping, rows_of(grouping)) for grouping in findings_of(report).groups]
        most = max(len(cells) for _, cells in drawn)
        fig, axes = d.panels(len(drawn), layout, height=0.95 + 0.21 * most, columns=2)
        for ax, (grouping, cells) in zip(axes, drawn, strict=True):
            _panel(ax, grouping, cells, layout)
        handles = [
            d.Patch(color=d.SERIES[0], label="R = −1: all fell"),
            d.Patch(color=d.SERIES[1], label="R = +1: all rose"),
        ]
        d.legend_below(fig, handles, layout)
    return fig


def _panel(ax: "d.Axes", grouping: GroupsOverTime, cells: Cells, layout: "d.Layout") -> None:
    steps = [f"{pair.from_step:,}" for pair, _ in grouping.splits]
    with_numbers = len(steps) <= (12 if layout == "wide" else 7)
    d.heat_map(ax, list(cells.values()), d.from_minus_to_plus, _with_sign if with_numbers else None)
    every = math.ceil(len(steps) / (12 if layout == "wide" else 6))
    ax.set_title(f"by {grouping.by}")
    ax.set_xticks(range(0, len(steps), every), steps[::every])
    ax.set_yticks(range(len(cells)), [printable(name, 24) for name in cells])
    ax.set_xlabel("earlier step t of the pair")


def _with_sign(R: float) -> str:
    return f"{R:+.2f}".replace("-", "−")


def alt(report: Report) -> str:
    """Alt text."""
    parts = []
    for grouping in findings_of(report).groups:
        last = ", ".join(f"{printable(name, 40)}: R = {row[-1]:.2f}" for name, row in rows_of(grouping).items())
        parts.append(f"by {grouping.by}, at the last pair {last}")
    return f"Net ratio of each group of tokens at each pair of checkpoints: {'; '.join(parts)}."


def numbers(report: Report) -> list[dict[str, Any]]:
    """The cells that are drawn; all groups with intervals are in the CSV of the section on groups."""
    return [
        {"by": grouping.by, "group": printable(name), "from_step": pair.from_step, "to_step": pair.to_step, "R": R}
        for grouping in findings_of(report).groups
        for name, row in rows_of(grouping).items()
        for (pair, _), R in zip(grouping.splits, row, strict=True)
    ]
