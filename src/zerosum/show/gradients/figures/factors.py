"""C_g and C_uG / C_ug against step: which factor of what is left of the first-order changes becomes smaller."""

import math
from operator import itemgetter

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from zerosum.show.drawing.axes import log_axis, panels
from zerosum.show.drawing.interference_series import TOKEN_NULL, UNIT_NULL, null_handles
from zerosum.show.drawing.legend import entry, legend_below
from zerosum.show.drawing.style import MUTED, Layout, style
from zerosum.show.gradients.figures.over_steps import (
    BLUE,
    GREEN,
    ONE,
    ORANGE,
    PURPLE,
    handles,
    left_of,
    series,
    step_axis,
    title_N,
    warn,
)
from zerosum.show.gradients.subject import GradientsOverTraining, Number, OneCheckpoint
from zerosum.show.gradients.tables import numbers_of
from zerosum.show.gradients.words import factors_over_time

TITLE = "Do tokens disagree, or coordinates?"
HOW_TO_READ = (
    "What is left of all first-order loss changes when tokens are added up is a product: 1 − D_first_order = C_g × "
    "C_uG / C_ug. With p the part of a coordinate in the first-order change of a token's loss, C_g says how much "
    "tokens agree, coordinate by coordinate (1: in every coordinate all tokens gain or all lose). C_uG / C_ug "
    "compares coordinates: how much they agree when tokens have been added (C_uG) with how much they agree inside "
    "one token (C_ug); below 1 coordinates agree less about the batch than about a token. The three axes have one "
    "logarithmic scale, so that heights can be compared: the curves of the first two panels, added, give the "
    "triangles of the third. D rises with whichever factor falls. Diamonds are what is left of the real loss "
    "changes, which need not be the same. The grey lines are what chance would leave of the first-order changes, "
    "with a random sign for each token or for each text (document or sequence). Bands are 95 % intervals: of D over "
    "these texts, of C for the draw of a sample."
)
NAMES = ("C_g", "C_ug", "C_uG", "D_first_order", "D_loss", "null", "null_unit")


def absent(over: GradientsOverTraining) -> str:
    """Why there is no such figure; nothing where there is one."""
    known = [one for one in over.checkpoints if math.isfinite(one["C_g"].value) and math.isfinite(ratio(one).value)]
    if not known:
        return next(one.reason for one in map(over.last.__getitem__, ("C_g", "C_ug", "C_uG")) if math.isnan(one.value))
    return "" if len(known) > 1 else ONE.replace("was measured", "was measured with an update")


def ratio(one: OneCheckpoint) -> Number:
    """C_uG / C_ug. Its interval is that of C_ug, where C_uG is exact."""
    over, under = one["C_uG"], one["C_ug"]
    known = math.isfinite(over.value) and under.value > 0
    ends = (
        (over.value / under.ends[1], over.value / under.ends[0]) if known and under.ends and under.ends[0] > 0 else None
    )
    return Number(over.value / under.value if known else math.nan, ends, under.reason)


def plot(over: GradientsOverTraining, layout: Layout = "wide") -> Figure:
    """Both factors and their product."""
    with style():
        fig, axes = panels(3, layout, height=2.9, columns=3)
        steps = [float(one.step) for one in over.checkpoints]
        reached = series(axes[0], over, itemgetter("C_g"), BLUE)
        reached += series(axes[1], over, ratio, ORANGE)
        reached += series(axes[2], over, left_of("D_first_order"), GREEN, floor=1e-9)
        reached += series(axes[2], over, left_of("D_loss"), PURPLE, floor=1e-9)
        nulls = {"null": TOKEN_NULL, "null_unit": UNIT_NULL}
        for name, dashes in nulls.items():
            by_chance = [left_of(name)(one).value for one in over.checkpoints]
            reached += [value for value in by_chance if math.isfinite(value)]
            axes[2].plot(steps, by_chance, color=MUTED, linestyle=dashes, linewidth=1, zorder=1.5)
        heads = ("C_g (tokens)", "C_uG / C_ug (coordinates)", f"1 − D ({title_N(over)})")
        for ax, head in zip(axes, heads, strict=True):
            ax.set_title(head)
            ax.axhline(1, color=MUTED, linewidth=0.8, zorder=1)
            log_axis(ax, "y", [*reached, 1.0], pad=1.3, most=7)
            step_axis(ax, steps)
        warn(fig, over, layout)
        legend_below(fig, [*_names(), *null_handles(over.units), *handles(over)], layout)
    return fig


def _names() -> list[Line2D]:
    return [
        entry("C_g", color=BLUE[0], marker="o", linestyle="-"),
        entry("C_uG / C_ug", color=ORANGE[0], marker="s", linestyle="-"),
        entry("first-order changes, 1 − D_first_order", color=GREEN[0], marker="^", linestyle="-"),
        entry("real changes, 1 − D_loss", color=PURPLE[0], marker="D", linestyle="-"),
    ]


def alt(over: GradientsOverTraining) -> str:
    """What the figure shows, for who cannot see it."""
    return (
        f"C_g, C_uG / C_ug, and 1 − D of first-order and of real loss changes, against step. {factors_over_time(over)}"
    )


def table(over: GradientsOverTraining) -> pd.DataFrame:
    """One row for each checkpoint, with intervals."""
    rows = [numbers_of(one, NAMES) | {"C_uG_over_C_ug": ratio(one).value} for one in over.checkpoints]
    return pd.DataFrame(rows)
