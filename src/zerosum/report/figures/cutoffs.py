"""How L_d, t_d and r_d move with the cut-off, the number of first steps that the fit leaves out."""

import dataclasses

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from zerosum.report.figures._axes import legend_below, panels, say_empty
from zerosum.report.figures._style import INK, PAPER, Layout, run_styles, style
from zerosum.report.names import printable
from zerosum.report.numbers import L_D, R_D, T_D
from zerosum.report.summary import SuiteSummary
from zerosum.report.words import label, span

TITLE = "How much the cut-off matters"
HOW_TO_READ = (
    "The first steps of training follow no power law, so a fit leaves some of them out; how many is a choice. These are "
    "the three numbers of the break under different choices. Where they stay within their intervals, the choice does not "
    "matter. The ring marks the one used everywhere else on this page."
)


def plot(summary: SuiteSummary, layout: Layout = "wide") -> Figure:
    """One panel for each number; hollow points are fits whose verdict is not "decelerates"."""
    with style():
        looks = run_styles(summary.runs)
        fig, axes = panels(3, layout, height=2.4)
        for ax, form in zip(axes, (L_D, T_D, R_D), strict=True):
            ax.set_title(f"{form.symbol} ({form.unit})" if form.unit else f"{form.symbol} (log-log slope, no unit)")
            if not any(run.cutoffs for run in summary.runs):
                say_empty(ax, "fitted with one cut-off only")
                continue
            for run, look in zip(summary.runs, looks, strict=True):
                rows = [row for row in sorted(run.cutoffs, key=lambda row: row.cutoff)]
                x, y = [row.cutoff for row in rows], [getattr(row, form.symbol) for row in rows]
                ax.plot(x, y, color=look.colour, marker=look.marker, linestyle=look.line, alpha=look.strength)
                unsure = [
                    (row.cutoff, value) for row, value in zip(rows, y, strict=True) if row.verdict != "decelerates"
                ]
                if unsure:
                    ax.plot(*np.transpose(unsure), look.marker, color=PAPER, markeredgecolor=look.colour, zorder=4)
                if run.fit.cutoff in x:
                    ax.plot(
                        run.fit.cutoff,
                        y[x.index(run.fit.cutoff)],
                        "o",
                        markersize=10,
                        color="none",
                        markeredgecolor=INK,
                    )
            ax.set_xlabel("cut-off (steps left out at the start)")
            ax.margins(x=0.08, y=0.15)
        handles = [
            Line2D([], [], color=look.colour, marker=look.marker, linestyle=look.line, label=look.label)
            for look in looks
            if look.label
        ]
        ring = {"color": INK, "linestyle": "", "marker": "o", "markerfacecolor": "none"}
        handles.append(Line2D([], [], markersize=9, label="the cut-off used in this report", **ring))
        handles.append(Line2D([], [], markersize=4.5, label="hollow: the verdict is not “decelerates”", **ring))
        legend_below(fig, handles, layout, columns=5)
    return fig


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
    """One row for each run and cut-off, with the verdict of that fit and why."""
    return pd.DataFrame(
        [
            {"run": run.name, "seed": run.seed} | dataclasses.asdict(row) | {"used": row.cutoff == run.fit.cutoff}
            for run in summary.runs
            for row in run.cutoffs
        ]
    )
