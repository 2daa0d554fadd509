"""The D-M plane: how much losses move against how much of it cancels; what is left is the progress |ΔL| = M (1 - D)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from zerosum.report.figures import interference_steps as steps
from zerosum.report.figures._axes import legend_below, log_axis, note_above, panels, plain, run_handles, say_empty
from zerosum.report.figures._style import INK, MUTED, PAPER, Layout, RunStyle, run_styles, style
from zerosum.report.names import printable
from zerosum.report.numbers import number
from zerosum.report.summary import SuiteSummary
from zerosum.report.words import ends_of, label

TITLE = "Movement against cancelling"
HOW_TO_READ = (
    "The same measurements with the steps taken out of the axes. What training achieves between two checkpoints "
    "is movement times what does not cancel: |⁠ΔL| = M (1 − D). Along each grey line that progress is the same; "
    "its size in nats per token stands at its end. A path that drops straight down slows because tokens move "
    "less; one that goes to the right slows because they cancel. Hollow points are the first step, arrows show "
    "the direction of training, and the numbers at the points of one run are its steps t."
)


def plot(summary: SuiteSummary, layout: Layout = "wide") -> Figure:
    """One panel for each kind of change; each run a path from its first to its last step."""
    with style():
        looks = run_styles(summary.runs)
        fig, axes = panels(len(steps.CHANGES), layout, height=3.6)
        for ax, change in zip(axes, steps.CHANGES, strict=True):
            _panel(ax, summary, looks, change)
        text = steps.warning(summary)
        if text:
            note_above(fig, text, layout)
        legend_below(fig, _legend(looks), layout)
    return fig


def _panel(ax: Axes, summary: SuiteSummary, looks: Sequence[RunStyle], change: steps.Change) -> None:
    ax.set_title(steps.titled(summary, change))
    paths = []
    for run, look in zip(summary.runs, looks, strict=True):
        rows = [row for row in steps.measured(run, change) if row[2].M > 0 and np.isfinite(row[2].D)]
        if rows:
            paths.append(([row[0] for row in rows], [row[2].D for row in rows], [row[2].M for row in rows], look))
    if not paths:
        return say_empty(ax, "not measured in this suite")
    ax.grid(visible=False)
    log_axis(ax, "y", [m for _, _, ms, _ in paths for m in ms], pad=1.5)
    right = max(d for _, ds, _, _ in paths for d in ds)
    ax.set_xlim(-0.13 * right - 0.01, min(1.0, 1.12 * right + 0.02))
    _equal_progress(ax)
    named = min(
        [path for path in paths if path[3].label] or paths, key=lambda path: path[1][-1]
    )  # the leftmost end: on its left there is room for labels
    for path in paths:
        _path(ax, *path[1:])
        if path is named or path[0][-1] != named[0][-1]:
            _step_labels(ax, *path[:3], every=path is named)
    ax.set_xlabel("destructive interference D")
    ax.set_ylabel("movement M (nats per token)")
    return None


def _equal_progress(ax: Axes) -> None:
    """Lines of equal |ΔL| = M (1 - D), a factor 10 or sqrt(10) apart, named where they leave the panel."""
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    right = min(right, 0.999)
    d = np.linspace(left, right, 80)
    smallest, largest = np.log10(low * (1 - right)), np.log10(high * (1 - left))
    per_decade = 2 if largest - smallest < 2.5 else 1
    for k in range(int(np.floor(per_decade * smallest)), int(np.ceil(per_decade * largest)) + 1):
        progress = float(f"{10 ** (k / per_decade):.1g}")
        m = progress / (1 - d)
        inside = (m >= low) & (m <= high)
        if inside.any():
            ax.plot(d[inside], m[inside], color=MUTED, linewidth=0.8, alpha=0.45, zorder=0.5)
        name: dict[str, Any] = {"text": plain(progress), "color": MUTED, "fontsize": 8, "textcoords": "offset points"}
        if inside[-1]:
            ax.annotate(xy=(right, m[-1]), xytext=(3, 0), va="center", **name)
        elif inside.any() and d[inside][-1] < left + 0.8 * (right - left):  # at the top; further right they crowd
            ax.annotate(xy=(d[inside][-1], high), xytext=(4, -3), ha="left", va="top", **name)
    ax.text(1.0, 1.01, "|ΔL|", color=MUTED, fontsize=8, transform=ax.transAxes, va="bottom", ha="left")


def _path(ax: Axes, d: list[float], m: list[float], look: RunStyle) -> None:
    """The path with its points; an arrow in the middle of each longer piece says which way training went."""
    ax.plot(d, m, color=look.colour, marker=look.marker, markersize=4, linestyle="-", alpha=look.strength, zorder=3)
    ax.plot(d[0], m[0], marker=look.marker, color=PAPER, markeredgecolor=look.colour, markersize=6, zorder=4)
    x, y = ax.transData.transform(np.column_stack([d, m])).T
    for k in np.flatnonzero(np.hypot(np.diff(x), np.diff(y)) > 22):
        middle = ((d[k] + d[k + 1]) / 2, float(np.sqrt(m[k] * m[k + 1])))
        start = (0.55 * d[k] + 0.45 * d[k + 1], float(m[k] ** 0.55 * m[k + 1] ** 0.45))
        arrow = {"arrowstyle": "-|>", "color": look.colour, "alpha": look.strength, "mutation_scale": 9, "linewidth": 0}
        ax.annotate("", xy=middle, xytext=start, arrowprops=arrow, zorder=3)


def _step_labels(ax: Axes, step: list[int], d: list[float], m: list[float], every: bool) -> None:
    """Name steps of one run where there is room for it; of any other only the last."""
    last = len(step) - 1
    wanted = [last, 0, *range(last - 2, 0, -2), *range(last - 1, 0, -2)] if every and last else [last]
    at = ax.transData.transform(np.column_stack([d, m]))
    placed: list[int] = []
    for k in wanted:
        if all(abs(at[k] - at[other])[1] > 16 or abs(at[k] - at[other])[0] > 40 for other in placed):
            placed.append(k)
            point = (d[k], m[k])
            ax.annotate(
                f"{step[k]:,}", point, (-6, -4), textcoords="offset points", ha="right", va="top", fontsize=8, zorder=5
            )


def _legend(looks: Sequence[RunStyle]) -> list[Line2D]:
    return [
        *run_handles([replace(look, line="-") for look in looks]),
        Line2D(
            [], [], color=INK, marker="o", markerfacecolor="none", linestyle="", label="first step; numbers: step t"
        ),
        Line2D([], [], color=MUTED, alpha=0.6, linewidth=0.8, label="equal |ΔL| = M (1 − D), nats per token"),
    ]


def alt(summary: SuiteSummary) -> str:
    """What the figure shows, for who cannot see it."""
    ends = "; ".join(
        f"{printable(label(run, summary))} from D {number(a.D, 3)}, M {number(a.M, 3)} "
        f"to D {number(b.D, 3)}, M {number(b.M, 3)}"
        for run in summary.runs
        if run.double
        for a, b in [[pair.interference for pair in ends_of(run)]]
    )
    return (
        f"Movement M against destructive interference D, with lines of equal progress. First to last doubling: {ends}."
    )


def table(summary: SuiteSummary) -> pd.DataFrame:
    """The coordinates of every point, with the progress |ΔL| of the line it lies on."""
    every = steps.table(summary)
    if every.empty:
        return every
    kept = every[["run", "seed", "change", "split", "from_step", "to_step", "N", "D", "M", "delta_L"]].copy()
    kept["progress"] = kept["M"] * (1 - kept["D"])
    return kept
