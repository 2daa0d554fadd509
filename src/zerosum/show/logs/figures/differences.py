"""How a difference in reached loss is made up: terms in nats, each from 0 with its interval, and sum."""

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zerosum.deceleration import Comparison
from zerosum.show.drawing.legend import entry, legend_below
from zerosum.show.drawing.multiples import multiples
from zerosum.show.drawing.style import INK, MUTED, SERIES, Layout, style
from zerosum.show.logs import paper_tables
from zerosum.show.logs.subject import Logs
from zerosum.show.logs.terms import signed
from zerosum.show.logs.words import difference
from zerosum.show.names import short_distinct_names

TITLE = "Where the difference comes from"
HOW_TO_READ = (
    "The loss that the second run reached minus that of the first, in nats per token: the bars above the line add up "
    "to the one below it. Every bar begins at 0; those to the left make the second run better. L_d: "
    "the loss at which the runs break; t_d: when; r_d: how fast they improve after it; T: for how long; the rest is "
    "what the two lines leave over. Thin lines are intervals of the terms: where one crosses 0 the term may be 0. "
    "The total is one run against one run and has no interval. Terms describe the two curves, they are "
    "not causes: where a large L_d term and a large r_d term cancel, the break itself is placed with little certainty."
)
MOST = 9  # pairs; tables have all
SHORT = {"reached_minus_fit": "reached − fit"}
BETTER, WORSE = SERIES[2], SERIES[1]


def plot(logs: Logs, layout: Layout = "wide") -> Figure:
    """One panel for each pair."""
    with style():
        drawn = _drawn(logs)
        fig, axes = multiples(len(split(logs)), layout, height=3.0, share=False, most=MOST)
        for ax, one in zip(axes, drawn, strict=True):
            a, b = short_distinct_names([one.a, one.b], 30)
            ax.set_title(f"{b}\nminus {a}")
            _panel(ax, one)
        colours = [("makes the second run better", BETTER), ("makes it worse", WORSE), ("the whole difference", MUTED)]
        handles = [entry(label, color=colour, linewidth=7) for label, colour in colours]
        legend_below(fig, [*handles, entry("interval of a term", linewidth=1.2)], layout)
    return fig


def split(logs: Logs) -> list[Comparison]:
    """The pairs whose difference splits into terms: both runs have a break."""
    return [one for one in logs.comparisons if one.terms]


def _drawn(logs: Logs) -> Sequence[Comparison]:
    return split(logs)[:MOST]


def _panel(ax: Axes, one: Comparison) -> None:
    sizes = [*(term.nats for term in one.terms), one.total]
    places = np.arange(len(sizes), dtype=float)
    colours = [BETTER if term.nats < 0 else WORSE for term in one.terms]
    ax.barh(places, sizes, 0.55, color=[*colours, MUTED], zorder=2)
    reach = [0.0, *sizes]
    for place, term in zip(places, one.terms, strict=False):
        if term.interval:
            ax.hlines(place, *term.interval, color=INK, linewidth=1.2, zorder=3)
            reach += term.interval
    names = [SHORT.get(term.name, term.name) for term in one.terms] + ["total"]
    ax.set_yticks(places, [f"{name}\n{signed(size)}" for name, size in zip(names, sizes, strict=True)])
    ax.tick_params(axis="y", length=0)
    ax.axvline(0, color=INK, linewidth=0.8, zorder=2.5)
    ax.axhline(len(sizes) - 1.5, color=MUTED, linewidth=0.6, zorder=1)  # a sum is written below a line
    ax.set_ylim(len(sizes) - 0.5, -0.5)
    room = 0.06 * (max(reach) - min(reach)) or 0.1
    ax.set_xlim(min(reach) - room, max(reach) + room)
    ax.grid(visible=False, axis="y")
    ax.set_xlabel("difference in loss (nats per token)")


def alt(logs: Logs) -> str:
    """What the figure shows, for who cannot see it."""
    return " ".join(textwrap.shorten(difference(one)[0], 600) for one in _drawn(logs))


def table(logs: Logs) -> pd.DataFrame:
    """One row for each term of each pair that is drawn, and the total."""
    return paper_tables.comparison(Logs(logs.analyses, tuple(_drawn(logs))))
