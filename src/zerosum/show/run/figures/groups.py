"""Which groups of tokens pay for which: each group's share of all movement, split into falls and rises."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from zerosum.interference import Group, Interference
from zerosum.interference.labelled import MeasuredGroups, StoreFindings
from zerosum.show.drawing.axes import panels
from zerosum.show.drawing.interference_series import interference_columns
from zerosum.show.drawing.legend import entry, legend_below
from zerosum.show.drawing.style import INK, MUTED, PAPER, SERIES, Layout, style
from zerosum.show.interference_words import steps, who_pays
from zerosum.show.names import printable

TITLE = "Which groups pay for which"
HOW_TO_READ = (
    "The last pair of checkpoints; every panel sorts the same tokens in another way. All bars of a panel add up to 100 "
    "% of the movement: blue to the left is movement that lowered losses in the group, orange to the right is movement "
    "that raised them. Where a group has both, its tokens cancel inside the group. The mark is what remains, the "
    "group's part w R of the whole R; a group whose mark lies on the other side than most pays for the others. A full "
    "mark: more than chance (the 95 % interval of the group's own mean change leaves out 0); a hollow one: not told "
    "from chance, or no interval."
)
FALLS, RISES = SERIES[0], SERIES[1]
MOST = 12  # groups in a panel
Row = tuple[Group, Interference]


def shown(groups: MeasuredGroups) -> list[Row]:
    """The groups in their order, or those with the largest net changes where there are many."""
    rows = list(zip(groups.split.groups, groups.measured, strict=True))
    largest = sorted(rows, key=lambda row: -abs(float(row[0].sums.net.sum())))[:MOST]
    kept = {group.name for group, _ in largest}
    return [row for row in rows if row[0].name in kept]


def plot(losses: StoreFindings, layout: Layout = "wide") -> Figure:
    """One panel for each way to split the tokens."""
    with style():
        most = max(len(shown(one.last[1])) for one in losses.groups)
        fig, axes = panels(len(losses.groups), layout, height=0.9 + 0.21 * most, columns=2)
        for ax, one in zip(axes, losses.groups, strict=True):
            _panel(ax, one.last[1])
        handles = [
            Patch(color=FALLS, alpha=0.45, label="losses fell"),
            Patch(color=RISES, alpha=0.45, label="losses rose"),
            entry("net, more than chance", marker="D"),
            entry("net, not told from chance", marker="D", markerfacecolor=PAPER),
        ]
        legend_below(fig, handles, layout)
    return fig


def _panel(ax: Axes, groups: MeasuredGroups) -> None:
    rows = shown(groups)
    hidden = len(groups.split.groups) - len(rows)
    ax.set_title(f"by {groups.by}" + (f" ({len(rows)} of {len(rows) + hidden:,})" if hidden else ""))
    for y, (group, found) in enumerate(rows):
        rose = group.w * (1 + group.R) / 2 if group.w > 0 else 0.0
        ax.barh(y, -100 * (group.w - rose), 0.72, color=FALLS, alpha=0.45, linewidth=0)
        ax.barh(y, 100 * rose, 0.72, color=RISES, alpha=0.45, linewidth=0)
        net = 100 * group.w * group.R if group.w > 0 else 0.0
        ax.plot(net, y, "D", color=INK, markersize=4, markerfacecolor=INK if told(found) else PAPER, zorder=4)
    ax.axvline(0, color=MUTED, linewidth=0.8)
    ax.set_yticks(range(len(rows)), [printable(group.name, 24) for group, _ in rows])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.grid(False, axis="y")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):g}"))
    ax.set_xlabel("% of all movement")


def told(found: Interference) -> bool:
    """Whether the interval of the group's own mean change leaves out 0."""
    return found.interval is not None and not found.interval.delta_L[0] <= 0 <= found.interval.delta_L[1]


def alt(losses: StoreFindings) -> str:
    """What the figure shows, for who cannot see it."""
    parts = [f"By {one.by}: {who_pays(one.last[1], one.last[0].measured.delta_L)}" for one in losses.groups]
    return f"Each group's share of all movement, falls and rises, steps {steps(losses.last)}. {' '.join(parts)}"


def table(losses: StoreFindings) -> pd.DataFrame:
    """One row for each grouping, pair of checkpoints and group."""
    return pd.DataFrame([
        {
            "by": one.by, "from_step": pair.from_step, "to_step": pair.to_step, "group": printable(group.name),
            "w": group.w, "w_R": group.w * group.R if group.w > 0 else 0.0, "net_share": group.net_share,
        }
        | interference_columns(found)
        for one in losses.groups
        for pair, groups in one.splits
        for group, found in zip(groups.split.groups, groups.measured, strict=True)
    ])  # fmt: skip
