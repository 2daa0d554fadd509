"""Movement M against destructive interference D: whether progress slows because tokens move less or cancel more."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from zerosum.interference.labelled import StoreFindings
from zerosum.show import changes
from zerosum.show import drawing as d
from zerosum.show.names import printable
from zerosum.show.numbers import number
from zerosum.show.report import Report

TITLE = "Movement against cancelling"
PLACE = 32
HOW_TO_READ = (
    "The same measurements with the steps taken out of the axes. What training achieves between two checkpoints "
    "is movement times what does not cancel: |ΔL| = M (1 − D). Along each grey line that progress is the same; "
    "its size in nats per token stands on it. A path that drops straight down slows because tokens move "
    "less; one that goes to the right slows because they cancel. Hollow points are the first step, arrows show "
    "the direction of training, and the numbers at the points of one run are its steps t."
)
KINDS = (changes.PAIRS, *changes.ONE_STEP)
FURTHEST, LINE = 0.98, 0.8
"""Lines of equal progress end at this D, beyond which they crowd; their width in points."""
NAMED_AT, SHORTEST = 12, 8  # of 160 points across a panel: where the value of a line stands; shorter lines have none

Path = tuple[list[int], list[float], list[float], "d.RunStyle"]
"""Steps, D, M and look of one run."""


def absent(report: Report) -> str | None:
    """A comparison of runs: of one run `interference` shows the same. A path needs two points."""
    return None if len(report.runs) > 1 and _kinds(report) else ""


def _kinds(report: Report) -> list[changes.Change]:
    """The kinds of change of which some run has a path."""
    return [kind for kind in KINDS if any(len(rows) > 1 for _, rows in changes.of_report(report, kind))]


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """One panel for each kind of change; each run a path from its first to its last step."""
    kinds = _kinds(report)
    with d.style():
        fig, axes = d.panels(len(kinds), layout, height=3.6)
        for ax, kind in zip(axes, kinds, strict=True):
            _panel(ax, report, kind)
            title = changes.titled(report, kind)
            ax.set_title(title.replace(" (N", "\n(N") if layout == "print" else title)
        if text := changes.different_N(report, *kinds):
            d.note_above(fig, text, layout)
        d.legend_below(fig, _legend(list(_looks(report).values())), layout)
    return fig


def _looks(report: Report) -> dict[str, "d.RunStyle"]:
    """Of the runs that have a store, by label."""
    stores = {label for label, _ in report.each(StoreFindings)}
    return {label: look for label, look in d.looks_of(report).items() if label in stores}


def _panel(ax: "d.Axes", report: Report, kind: changes.Change) -> None:
    paths = list(_paths(report, kind))
    ax.grid(visible=False)
    d.log_axis(ax, "y", [m for _, _, ms, _ in paths for m in ms], pad=1.5)
    right = max(value for _, ds, _, _ in paths for value in ds)
    ax.set_xlim(-0.13 * right - 0.01, min(1.0, 1.12 * right + 0.02))
    _equal_progress(ax)
    # Of the leftmost end all steps are named: on its left there is room for labels.
    named = min([path for path in paths if path[3].label] or paths, key=lambda path: path[1][-1])
    for path in paths:
        _path(ax, *path[1:])
        if path is named or path[0][-1] != named[0][-1]:
            _step_labels(ax, *path[:3], every=path is named)
    ax.set_xlabel("destructive interference D")
    ax.set_ylabel("movement M (nats per token)")


def _paths(report: Report, kind: changes.Change) -> Iterator[Path]:
    looks = _looks(report)
    for label, measured in changes.of_report(report, kind):
        rows = [row for row in measured if row[2].M > 0 and np.isfinite(row[2].D)]
        if rows:
            yield [row[0] for row in rows], [row[2].D for row in rows], [row[2].M for row in rows], looks[label]


def _equal_progress(ax: "d.Axes") -> None:
    """Lines of equal |ΔL| = M (1 - D), a factor 10 or sqrt(10) apart, each with its value near its left end."""
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    D = np.linspace(left, min(right, FURTHEST), 160)
    smallest, largest = np.log10(low * (1 - D[-1])), np.log10(high * (1 - left))
    per_decade = 2 if largest - smallest < 2.5 else 1
    for k in range(int(np.floor(per_decade * smallest)), int(np.ceil(per_decade * largest)) + 1):
        progress = float(f"{10 ** (k / per_decade):.1g}")
        M = progress / (1 - D)
        inside = (low <= M) & (high >= M)
        if inside.sum() < SHORTEST:  # it only cuts a corner, and has no room for its value
            continue
        ax.plot(D[inside], M[inside], color=d.MUTED, linewidth=LINE, alpha=0.45, zorder=0.5)
        box: dict[str, Any] = {"facecolor": d.PAPER, "edgecolor": "none", "boxstyle": "square,pad=0.15"}
        middle: dict[str, Any] = {"ha": "center", "va": "center", "zorder": 0.6, "bbox": box}
        at = min(NAMED_AT, inside.sum() // 2)
        x, y = D[inside][at], M[inside][at]
        ax.text(x, y, d.plain(progress), color=d.MUTED, fontsize=8, **middle)


def _path(ax: "d.Axes", D: list[float], M: list[float], look: "d.RunStyle") -> None:
    """The path with its points; an arrow in the middle of each longer piece says which way training went."""
    ax.plot(D, M, color=look.colour, marker=look.marker, markersize=4, linestyle="-", alpha=look.strength, zorder=3)
    ax.plot(D[0], M[0], marker=look.marker, color=d.PAPER, markeredgecolor=look.colour, markersize=6, zorder=4)
    x, y = ax.transData.transform(np.column_stack([D, M])).T
    for k in np.flatnonzero(np.hypot(np.diff(x), np.diff(y)) > 22):
        middle = ((D[k] + D[k + 1]) / 2, float(np.sqrt(M[k] * M[k + 1])))
        start = (0.55 * D[k] + 0.45 * D[k + 1], float(M[k] ** 0.55 * M[k + 1] ** 0.45))
        arrow = {"arrowstyle": "-|>", "color": look.colour, "alpha": look.strength, "mutation_scale": 9, "linewidth": 0}
        ax.annotate("", xy=middle, xytext=start, arrowprops=arrow, zorder=3)


def _step_labels(ax: "d.Axes", step: list[int], D: list[float], M: list[float], every: bool) -> None:
    """Name steps of one run where there is room for it; of any other only the last."""
    last = len(step) - 1
    wanted = [last, 0, *range(last - 2, 0, -2), *range(last - 1, 0, -2)] if every and last else [last]
    at = ax.transData.transform(np.column_stack([D, M]))
    placed: list[int] = []
    for k in wanted:
        if all(abs(at[k] - at[other])[1] > 16 or abs(at[k] - at[other])[0] > 40 for other in placed):
            placed.append(k)
            point = (D[k], M[k])
            ax.annotate(
                f"{step[k]:,}", point, (-6, -4), textcoords="offset points", ha="right", va="top", fontsize=8, zorder=5
            )


def _legend(looks: Sequence["d.RunStyle"]) -> list["d.Artist"]:
    return [
        *(d.run_handles([replace(look, line="-") for look in looks]) if len(looks) > 1 else ()),
        d.entry("first step; numbers: step t", marker="o", markerfacecolor="none"),
        d.entry("equal |ΔL| = M (1 − D), nats per token", color=d.MUTED, alpha=0.6, linewidth=0.8),
    ]


def alt(report: Report) -> str:
    """What the figure shows, in words."""
    kind = _kinds(report)[0]
    ends = "; ".join(
        f"{printable(label)} from D {number(first.D, 3)}, M {number(first.M, 3)} "
        f"to D {number(last.D, 3)}, M {number(last.M, 3)}"
        for label, rows in changes.of_report(report, kind)
        for first, last in [(rows[0][2], rows[-1][2])]
    )
    return f"Movement M against destructive interference D, with lines of equal progress. {kind.words}: {ends}."


def numbers(report: Report) -> list[dict[str, Any]]:
    """The coordinates of each point, with the progress |ΔL| of the line it lies on."""
    return [
        {
            **{"run": label, "change": kind.key, "split": kind.split, "from_step": start, "to_step": end},
            **{name: getattr(measured, name) for name in ("N", "D", "M", "delta_L")},
            "progress": measured.M * (1 - measured.D),
        }
        for kind in KINDS
        for label, rows in changes.of_report(report, kind)
        for start, end, measured in rows
    ]
