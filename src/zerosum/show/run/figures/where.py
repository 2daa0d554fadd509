"""Where the cancelling happens: between the groups or inside them, over training."""

import pandas as pd
from matplotlib.figure import Figure

from zerosum.interference.labelled import StoreFindings
from zerosum.show.drawing.axes import log_axis, panels
from zerosum.show.drawing.legend import entry, legend_below
from zerosum.show.drawing.style import INK, MUTED, SERIES, Layout, style
from zerosum.show.interference_words import where

TITLE = "Between groups or inside them"
HOW_TO_READ = (
    "What survives the cancelling, C = 1 − D, is the product of two factors: C_between is below 1 where whole groups "
    "move against each other, C_within where tokens of one group do. A factor of 1 means no cancelling there. With "
    "many small groups C_between falls below 1 by chance alone: the dotted line is what random groups of the same "
    "sizes would have. Where C_between lies well below it, the grouping has to do with who pays for whom. The factors "
    "have no intervals; those of each group are in the tables."
)


def plot(losses: StoreFindings, layout: Layout = "wide") -> Figure:
    """One panel for each way to split the tokens."""
    with style():
        fig, axes = panels(len(losses.groups), layout, height=2.0)
        for ax, one in zip(axes, losses.groups, strict=True):
            steps = [float(pair.from_step) for pair, _ in one.splits]
            splits = [groups.split for _, groups in one.splits]
            ax.plot(steps, [split.C_between for split in splits], "o-", color=SERIES[1], markersize=3.5)
            ax.plot(steps, [split.C_between_null for split in splits], ":", color=MUTED)
            ax.plot(steps, [split.C_within for split in splits], "s--", color=SERIES[0], markersize=3.5)
            ax.plot(steps, [1 - pair.measured.D for pair, _ in one.splits], color=INK, linewidth=0.9)
            ax.set_title(f"by {one.by}")
            ax.set_ylim(-0.02, 1.04)
            log_axis(ax, "x", steps, pad=1.25)
            ax.set_xlabel("earlier step t of the pair")
        handles = [
            entry("C_between", color=SERIES[1], marker="o", linestyle="-"),
            entry("C_between of random groups", color=MUTED, linestyle=":"),
            entry("C_within", color=SERIES[0], marker="s", linestyle="--"),
            entry("their product C = 1 − D", linewidth=0.9),
        ]
        legend_below(fig, handles, layout)
    return fig


def alt(losses: StoreFindings) -> str:
    """What the figure shows, for who cannot see it."""
    parts = [f"By {one.by}, at the last pair: {where(one.last[1], one.last[0].measured)}" for one in losses.groups]
    return f"C_between, C_within and their product against step, for each grouping. {' '.join(parts)}"


def table(losses: StoreFindings) -> pd.DataFrame:
    """One row for each grouping and pair of checkpoints."""
    return pd.DataFrame([
        {
            "by": one.by, "from_step": pair.from_step, "to_step": pair.to_step, "n_groups": len(groups.split.groups),
            "C_between": groups.split.C_between, "C_between_null": groups.split.C_between_null,
            "C_within": groups.split.C_within, "C": 1 - pair.measured.D, "N": pair.measured.N,
        }
        for one in losses.groups
        for pair, groups in one.splits
    ])  # fmt: skip
