"""The D-M plane: how much losses move against how much of it cancels; what is left is the progress |ΔL| = M (1 - D)."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from zerosum.show.drawing.axes import log_axis, note_above, panels, plain, say_empty
from zerosum.show.drawing.legend import entry, legend_below, run_handles
from zerosum.show.drawing.style import MUTED, PAPER, Layout, RunStyle, run_styles, style
from zerosum.show.names import printable
from zerosum.show.numbers import number
from zerosum.show.suite.figures import interference_steps as steps
from zerosum.show.suite.stories import label
from zerosum.show.suite.summary import SuiteSummary
from zerosum.show.suite.zero_sum import ends_of

TITLE = "Movement against cancelling"
HOW_TO_READ = (
    "The same measurements with the steps taken out of the axes. What training achieves between two checkpoints "
    "is movement times what does not cancel: |⁠ΔL| = M (1 − D). Along each grey line that progress is the same; "
    "its size in nats per token stands on it. A path that drops straight down slows because tokens move "
    "less; one that goes to the right slows because they cancel. Hollow points are the first step, arrows show "
    "the direction of training, and the numbers at the points of one run are its steps t."
)

Path = tuple[list[int], list[float], list[float], RunStyle]
"""Steps, D, M and look of one run."""
FURTHEST, LINE = 0.98, 0.8
"""Lines of equal progress end at this D, beyond which they crowd; their width in points."""


def plot(summary: SuiteSummary, layout: Layout = "wide") -> Figure:
    """One panel for each kind of change; each run a path from its first to its last step."""
    with style():
        looks = run_styles([run.name for run in summary.runs])
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
    paths: list[Path] = []
    for run, look in zip(summary.runs, looks, strict=True):
        rows = [row for row in steps.changed(run, change) if row[2].M > 0 and np.isfinite(row[2].D)]
        if rows:
            paths.append(([row[0] for row in rows], [row[2].D for row in rows], [row[2].M for row in rows], look))
    if not paths:
        return say_empty(ax, "not measured in this suite")
    ax.grid(visible=False)
    log_axis(ax, "y", [m for _, _, ms, _ in paths for m in ms], pad=1.5)
    right = max(d for _, ds, _, _ in paths for d in ds)
    ax.set_xlim(-0.13 * right - 0.01, min(1.0, 1.12 * right + 0.02))
    _equal_progress(ax, paths)
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


def _equal_progress(ax: Axes, paths: Sequence[Path]) -> None:
    """Lines of equal |ΔL| = M (1 - D), a factor 10 or sqrt(10) apart, each with its value on it."""
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    d = np.linspace(left, min(right, FURTHEST), 160)
    smallest, largest = np.log10(low * (1 - d[-1])), np.log10(high * (1 - left))
    per_decade = 2 if largest - smallest < 2.5 else 1
    taken = np.vstack([_densely(ax, path) for path in paths])
    for k in range(int(np.floor(per_decade * smallest)), int(np.ceil(per_decade * largest)) + 1):
        progress = float(f"{10 ** (k / per_decade):.1g}")
        m = progress / (1 - d)
        inside = (m >= low) & (m <= high)
        line = np.column_stack([d[inside], m[inside]])
        place = _free_place(ax, line, taken)
        if place is None:  # a line that nobody could name is not drawn
            continue
        ax.plot(*line.T, color=MUTED, linewidth=LINE, alpha=0.45, zorder=0.5)
        box: dict[str, Any] = {"facecolor": PAPER, "edgecolor": "none", "boxstyle": "square,pad=0.15"}
        middle: dict[str, Any] = {"ha": "center", "va": "center", "zorder": 0.6, "bbox": box}
        ax.text(float(place[0]), float(place[1]), plain(progress), color=MUTED, fontsize=8, **middle)
        taken = np.vstack([taken, ax.transData.transform(place)])


def _densely(ax: Axes, path: Path) -> np.ndarray:
    """Pixels along a path, close enough together to keep labels away from it."""
    at = ax.transData.transform(np.column_stack(path[1:3]))
    pieces = [np.linspace(a, b, 12) for a, b in itertools.pairwise(at)]
    return np.vstack([at, *pieces])


def _free_place(ax: Axes, line: np.ndarray, taken: np.ndarray) -> np.ndarray | None:
    """The point of a line with most room around it for a label of 8 points; None where the line is too short."""
    if len(line) < 2:
        return None
    at = ax.transData.transform(line)
    (x0, y0), (x1, y1) = ax.transAxes.transform([(0, 0), (1, 1)])
    fits = (at[:, 0] > x0 + 22) & (at[:, 0] < x1 - 12) & (at[:, 1] > y0 + 8) & (at[:, 1] < y1 - 8)
    if not fits.any():
        return None
    away = np.hypot(*((at[:, None] - taken[None]).transpose(2, 0, 1) * [[[1]], [[2]]])).min(axis=1)  # labels are wide
    room = np.where(fits, np.minimum(away, 45) + 1e-3 * at[:, 0], -np.inf)  # of equal ones the rightmost
    found: np.ndarray = line[int(np.argmax(room))]
    return found


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
        entry("first step; numbers: step t", marker="o", markerfacecolor="none"),
        entry("equal |ΔL| = M (1 − D), nats per token", color=MUTED, alpha=0.6, linewidth=0.8),
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
