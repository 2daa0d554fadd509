"""Section: whether the cancelling happens between the groups or inside them, over the training of one run."""

from collections.abc import Iterator
from typing import Any

from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.report import Report
from zerosum.show.sections import _interference_words as words
from zerosum.show.sections._single_run import absent_of_several, findings_of
from zerosum.show.table import Column, Table, Text

TITLE = "Between groups or inside them"
PLACE = 40
HOW_TO_READ = (
    "What does not cancel, C = 1 − D, is the product of two factors: C_between is below 1 where whole groups move "
    "against each other, C_within where tokens of one group do. A factor of 1 means no cancelling there. With many "
    "small groups C_between falls below 1 by chance alone: the dotted line is what random groups of the same sizes "
    "would have. Where C_between lies well below it, the grouping has to do with who pays for whom. The factors have "
    "no intervals; those of each group are in the tables."
)


def absent(report: Report) -> str | None:
    """For one run, where a grouping could be measured."""
    if absent_of_several(report) is not None:
        return ""
    return None if findings_of(report).groups else ""


def tables(report: Report) -> Iterator[Table]:
    """Cancelling between the groups and within them at the last pair, for every grouping."""
    findings = findings_of(report)
    columns = (
        Column("by", "Groups"),
        Column("C_between", "C_between", "1: no cancelling"),
        Column("C_between_null", "of random groups", "by chance"),
        Column("C_within", "C_within", "1: no cancelling"),
        Column("C", "C = 1 − D", "their product"),
    )
    rows = []
    for grouping in findings.groups:
        pair, groups = grouping.last
        split = groups.split
        values = (split.C_between, split.C_between_null, split.C_within, 1 - pair.measured.D)
        name = Text(f"by {grouping.by}", note=f"{n.count(len(split.groups))} groups")
        rows.append((name, *(Text(n.number(value, 3)) for value in values)))
    yield Table("", f"Where it cancels, steps {words.steps(findings.last)} (no intervals)", columns, tuple(rows))


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """One panel for each way to split the tokens."""
    groupings = findings_of(report).groups
    with d.style():
        fig, axes = d.panels(len(groupings), layout, height=2.0)
        for ax, grouping in zip(axes, groupings, strict=True):
            steps = [float(pair.from_step) for pair, _ in grouping.splits]
            splits = [groups.split for _, groups in grouping.splits]
            ax.plot(steps, [split.C_between for split in splits], "o-", color=d.SERIES[1], markersize=3.5)
            ax.plot(steps, [split.C_between_null for split in splits], ":", color=d.MUTED)
            ax.plot(steps, [split.C_within for split in splits], "s--", color=d.SERIES[0], markersize=3.5)
            ax.plot(steps, [1 - pair.measured.D for pair, _ in grouping.splits], color=d.INK, linewidth=0.9)
            ax.set_title(f"by {grouping.by}")
            ax.set_ylim(-0.02, 1.04)
            d.log_axis(ax, "x", steps, pad=1.25)
            ax.set_xlabel("earlier step t of the pair")
        handles = [
            d.entry("C_between", color=d.SERIES[1], marker="o", linestyle="-"),
            d.entry("C_between of random groups", color=d.MUTED, linestyle=":"),
            d.entry("C_within", color=d.SERIES[0], marker="s", linestyle="--"),
            d.entry("their product C = 1 − D", linewidth=0.9),
        ]
        d.legend_below(fig, handles, layout)
    return fig


def alt(report: Report) -> str:
    """Alt text."""
    parts = [
        f"By {grouping.by}, at the last pair: {words.where(grouping.last[1], grouping.last[0].measured)}"
        for grouping in findings_of(report).groups
    ]
    return f"C_between, C_within and their product against step, for each grouping. {' '.join(parts)}"


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each grouping and pair of checkpoints."""
    return [
        {"by": grouping.by, "from_step": pair.from_step, "to_step": pair.to_step, "n_groups": len(groups.split.groups)}
        | {"C_between": groups.split.C_between, "C_between_null": groups.split.C_between_null}
        | {"C_within": groups.split.C_within, "C": 1 - pair.measured.D, "N": pair.measured.N}
        for grouping in findings_of(report).groups
        for pair, groups in grouping.splits
    ]
