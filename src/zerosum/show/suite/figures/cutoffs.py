"""How L_d, t_d and r_d move with the cut-off, the number of first steps that the fit leaves out."""

import dataclasses

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from matplotlib.transforms import Transform, offset_copy

from zerosum.show.drawing.axes import panels, plain, say_empty
from zerosum.show.drawing.legend import entry, legend_below, run_handles
from zerosum.show.drawing.style import INK, PAPER, Layout, RunStyle, run_styles, style
from zerosum.show.names import printable
from zerosum.show.numbers import L_D, R_D, T_D
from zerosum.show.suite.stories import label
from zerosum.show.suite.summary import RunSummary, SuiteSummary
from zerosum.show.words import span

TITLE = "How much the cut-off matters"
HOW_TO_READ = (
    "The first steps of training follow no power law, so a fit leaves some of them out; how many is a choice. "
    "These are the three numbers of the break under other choices. The ring marks the one used everywhere else on "
    "this page, with its 95 % interval. The interval is for that cut-off alone and does not hold what the choice "
    "itself adds. A number that drifts steadily shows that what comes before the break is not quite a straight line; "
    "a hollow point is a fit with another verdict, so there the break itself depends on the choice."
)


def plot(summary: SuiteSummary, layout: Layout = "wide") -> Figure:
    """One panel for each number, one line for each run."""
    with style():
        looks = run_styles([run.name for run in summary.runs])
        fig, axes = panels(3, layout, height=2.4)
        for ax, form in zip(axes, (L_D, T_D, R_D), strict=True):
            ax.set_title(f"{form.symbol} ({form.unit})" if form.unit else f"{form.symbol} (log-log slope, no unit)")
            if not any(run.cutoffs for run in summary.runs):
                say_empty(ax, "fitted with one cut-off only")
                continue
            for run, look in zip(summary.runs, looks, strict=True):
                _line(ax, run, look, form.symbol)
            first = [(run, look) for run, look in zip(summary.runs, looks, strict=True) if look.label]
            for k, (run, look) in enumerate(first):
                aside = 4 * (k - (len(first) - 1) / 2)  # points, so that intervals stand beside each other
                _used(ax, run, look, form.symbol, offset_copy(ax.transData, fig, x=aside, units="points"))
            ax.set_xlabel("cut-off (steps left out at the start)")
            ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
            ax.margins(x=0.08, y=0.15)
        used = "the cut-off used in this report, with 95 % interval"
        ring = entry(used, marker="o", markersize=9, markerfacecolor="none")
        hollow = entry("hollow: another verdict, no deceleration", marker="o", markerfacecolor="none")
        legend_below(fig, [*run_handles(looks), ring, hollow], layout)
    return fig


def _line(ax: Axes, run: RunSummary, look: RunStyle, symbol: str) -> None:
    rows = sorted(run.cutoffs, key=lambda row: row.cutoff)
    y = [getattr(row, symbol) for row in rows]
    ax.plot([row.cutoff for row in rows], y, look.marker, linestyle=look.line, color=look.colour, alpha=look.strength)
    unsure = [(row.cutoff, getattr(row, symbol)) for row in rows if row.verdict != "decelerates"]
    if unsure:
        ax.plot(*zip(*unsure, strict=True), look.marker, color=PAPER, markeredgecolor=look.colour, zorder=4)


def _used(ax: Axes, run: RunSummary, look: RunStyle, symbol: str, aside: Transform) -> None:
    """Ring and interval of the fit that the rest of the report shows."""
    ax.plot(run.fit.cutoff, getattr(run.fit, symbol), "o", markersize=9, color="none", markeredgecolor=INK)
    ends = run.fit.intervals.get(symbol)
    if ends is not None:
        ax.vlines(run.fit.cutoff, *ends, color=look.colour, linewidth=1.2, transform=aside)
        ax.update_datalim([(run.fit.cutoff, end) for end in ends])  # what is set aside does not scale the axis


def alt(summary: SuiteSummary) -> str:
    """What the figure shows, for who cannot see it."""
    ranges = "; ".join(
        f"{printable(label(run, summary))}: L_d {span([row.L_d for row in run.cutoffs])}, "
        f"t_d {span([row.t_d for row in run.cutoffs], 0)}, r_d {span([row.r_d for row in run.cutoffs])}"
        for run in summary.runs
        if run.cutoffs
    )
    return f"L_d, t_d and r_d against the cut-off. Over all cut-offs, {ranges or 'nothing, as only one was tried'}."


def table(summary: SuiteSummary) -> pd.DataFrame:
    """One row for each run and cut-off, with the verdict of that fit. used: the one this report shows."""
    return pd.DataFrame(
        [
            {"run": run.name, "seed": run.seed} | dataclasses.asdict(row) | {"used": row.cutoff == run.fit.cutoff}
            for run in summary.runs
            for row in run.cutoffs
        ]
    )
