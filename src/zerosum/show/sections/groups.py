"""Section: which groups of tokens pay for which, at the last pair of checkpoints of one run."""

from collections.abc import Iterator
from typing import Any

from zerosum.interference import Group, Interference
from zerosum.interference.labelled import GroupsOverTime, MeasuredGroups
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.section import with_sentences
from zerosum.show.sections import _interference_words as words
from zerosum.show.sections._single_run import absent_of_several, findings_of
from zerosum.show.table import Column, Table, Text

TITLE = "Which groups pay for which"
PLACE = 36
HOW_TO_READ = (
    "The last pair of checkpoints; every panel sorts the same tokens in another way. All bars of a panel add up to 100 "
    "% of the movement: blue to the left is movement that lowered losses in the group, orange to the right is movement "
    "that raised them. Where a group has both, its tokens cancel inside the group. The mark is the net change, the "
    "group's part w R of the whole R; a group whose mark lies on the other side than most pays for the others. A full "
    "mark: more than chance (the 95 % interval of the group's own mean change excludes 0); a hollow one: not "
    "distinguishable from chance, or no interval."
)
FORMULAS = {
    "Groups": (
        "<code>R = Σ_g w_g R_g</code>, w_g the group’s share of all movement. <code>1 − D = C_between × "
        "C_within</code>, with X_g the sum of x inside g: <code>C_between = |Σ_g X_g| / Σ_g |X_g|</code>, "
        "<code>C_within = Σ_g |X_g| / Σ |x|</code>."
    )
}
MOST = 12  # groups in a panel
EARLIER = 8  # earlier pairs in the sentence on a terminal
Row = tuple[Group, Interference]


def absent(report: Report) -> str | None:
    """For one run, where a grouping could be measured."""
    why = absent_of_several(report)
    if why is not None:
        return why
    return None if findings_of(report).groups else ""


def largest(groups: MeasuredGroups) -> list[Row]:
    """The groups in their order, or those with the largest net changes where there are many."""
    rows = list(zip(groups.split.groups, groups.measured, strict=True))
    by_size = sorted(rows, key=lambda row: -abs(float(row[0].sums.net.sum())))[:MOST]
    names = {group.name for group, _ in by_size}
    return [row for row in rows if row[0].name in names]


def answer(report: Report) -> Iterator[str]:
    """Who pays and where, when one grouping was asked for; a page shows all of them."""
    groupings = findings_of(report).groups
    if len(groupings) == 1:
        pair, groups = groupings[0].last
        yield f"By {groups.by}: {words.who_pays(groups, pair.measured.delta_L)}"
        yield words.where(groups, pair.measured)


def sentences(report: Report) -> Iterator[str]:
    """What each grouping is, and which of its groups pay."""
    groupings = findings_of(report).groups
    for grouping in groupings:
        pair, groups = grouping.last
        bare = sum(measured.interval is None for measured in groups.measured)
        few = f" Without an interval, since in fewer than 20 {pair.units}s: {n.counted(bare, 'group')}." if bare else ""
        yield f"By {grouping.by}: {words.who_pays(groups, pair.measured.delta_L)} Groups: {groups.note}.{few}"
    if len(groupings) == 1 and (earlier := groupings[0].splits[:-1][-EARLIER:]):
        products = (
            f"{words.steps(pair)}: {n.number(groups.split.C_between, 3)} × {n.number(groups.split.C_within, 3)}"
            for pair, groups in earlier
        )
        yield f"Earlier pairs, between × within: {'; '.join(products)}."


def tables(report: Report) -> Iterator[Table]:
    """The groups of the last pair, by each grouping."""
    for grouping in findings_of(report).groups:
        yield _table(grouping)


def _table(grouping: GroupsOverTime) -> Table:
    pair, groups = grouping.last
    columns = (
        Column("group", "Group"),
        Column("w", "w", "of movement", n.PERCENT),
        Column("R", "R", "net ratio", n.R, on=("page", "latex")),
        Column("D", "D", "inside", n.D),
        Column("null", "by chance", "token, unit"),
        Column("M", "M", "nats per token", n.M, on=("page", "latex")),
        Column("delta_L", "delta_L", "nats per token", n.DELTA_L),
        Column("net_share", "Net share", "of net change"),
        Column("N", "N", "tokens"),
    )
    rows = tuple(
        (
            Text(printable(group.name, 40)),
            Text(n.percent(group.w)),
            measured.estimate("R"),
            measured.estimate("D"),
            Text(n.number(measured.null, 3), n.number(measured.null_unit, 3)),
            measured.estimate("M"),
            measured.estimate("delta_L"),
            Text(n.percent(group.net_share).replace("-", "−")),
            group.N,
        )
        for group, measured in largest(groups)
    )
    hidden = len(groups.split.groups) - len(rows)
    more = f": the {len(rows)} with the largest net change of {n.count(hidden + len(rows))}" if hidden else ""
    legend = f"Groups: {groups.note}. Groups differ in N: read each D against its own chance."
    return Table("", f"By {grouping.by}, steps {words.steps(pair)}{more}", columns, rows, legend)


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """One panel for each way to split the tokens."""
    groupings = findings_of(report).groups
    with d.style():
        most = max(len(largest(grouping.last[1])) for grouping in groupings)
        fig, axes = d.panels(len(groupings), layout, height=0.9 + 0.21 * most, columns=2)
        for ax, grouping in zip(axes, groupings, strict=True):
            _panel(ax, grouping.last[1])
        handles = [
            d.Patch(color=d.SERIES[0], alpha=0.45, label="losses fell"),
            d.Patch(color=d.SERIES[1], alpha=0.45, label="losses rose"),
            d.entry("net, more than chance", marker="D"),
            d.entry("net, not distinguishable from chance", marker="D", markerfacecolor=d.PAPER),
        ]
        d.legend_below(fig, handles, layout)
    return fig


def _panel(ax: "d.Axes", groups: MeasuredGroups) -> None:
    rows = largest(groups)
    hidden = len(groups.split.groups) - len(rows)
    ax.set_title(f"by {groups.by}" + (f" ({len(rows)} of {len(rows) + hidden:,})" if hidden else ""))
    y = range(len(rows))
    moved = [group.w if group.w > 0 else 0.0 for group, _ in rows]  # in % of the net ratio R: rises minus falls
    net = [_net(group) for group, _ in rows]
    for sign, colour in ((-1, d.SERIES[0]), (1, d.SERIES[1])):
        lengths = [50 * (both + sign * change) for both, change in zip(moved, net, strict=True)]
        ax.barh(y, [sign * length for length in lengths], 0.72, color=colour, alpha=0.45, linewidth=0)
    faces = [d.INK if words.more_than_chance(measured) else d.PAPER for _, measured in rows]
    ax.scatter([100 * change for change in net], y, s=16, c=faces, marker="D", edgecolors=d.INK, linewidths=1, zorder=4)
    ax.axvline(0, color=d.MUTED, linewidth=0.8)
    ax.set_yticks(range(len(rows)), [printable(group.name, 24) for group, _ in rows])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.grid(False, axis="y")
    ax.xaxis.set_major_formatter(d.FuncFormatter(lambda value, _: f"{abs(value):g}"))
    ax.set_xlabel("% of all movement")


def _net(group: Group) -> float:
    """The group's part of the whole R."""
    return group.w * group.R if group.w > 0 else 0.0


alt = with_sentences(
    "Share of all movement in each group of tokens, falls and rises, at the last pair of checkpoints.", sentences
)


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each grouping, pair of checkpoints and group."""
    return [
        {"by": grouping.by, "from_step": pair.from_step, "to_step": pair.to_step, "group": printable(group.name)}
        | {"w": group.w, "w_R": _net(group), "net_share": group.net_share}
        | d.interference_columns(measured)
        for grouping in findings_of(report).groups
        for pair, groups in grouping.splits
        for group, measured in zip(groups.split.groups, groups.measured, strict=True)
    ]
