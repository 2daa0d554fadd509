"""Destructive interference D and movement M against step, for every kind of loss change, with intervals and nulls."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from zerosum.interference import Interference
from zerosum.show.drawing.axes import log_axis, note_above, panels, say_empty
from zerosum.show.drawing.interference_series import interference_columns, null_handles, series
from zerosum.show.drawing.legend import entry, legend_below, run_handles
from zerosum.show.drawing.style import Layout, RunStyle, run_styles, style
from zerosum.show.names import printable
from zerosum.show.suite.stories import label
from zerosum.show.suite.summary import RunSummary, SuiteSummary
from zerosum.show.suite.zero_sum import zero_sum

TITLE = "Cancelling over training"
HOW_TO_READ = (
    "D is the share of all movement in single-token losses that cancels: 0 when every token moves the same way, 1 "
    "when some lose all that others gain. M is the movement itself: how far the average token's loss moved, in "
    "either direction. Three kinds of change: between checkpoints at t and 2t; over the single optimizer step "
    "after t, on text the model never trains on and on the very batch of that step. Bands are 95 % intervals. The "
    "grey lines are what D would be if each token, or each whole text, moved up or down by chance: at its "
    "null no net direction can be told from chance, though groups of tokens may still systematically oppose each "
    "other. Short bars on the axis mark t_d of each run, where its loss "
    "bends."
)


@dataclass(frozen=True)
class Change:
    """One kind of loss change. key: in tables. split: on which tokens. words: what it is, for titles."""

    key: str
    split: str
    words: str


CHANGES = (
    Change("t->2t", "heldout", "t → 2t, held-out text"),
    Change("t->t+1", "heldout", "t → t+1, held-out text"),
    Change("t->t+1", "batch", "t → t+1, training batch"),
)


def changed(run: RunSummary, change: Change) -> list[tuple[int, int, Interference]]:
    """(from step, to step, interference) of one run for one kind of change, in order of step."""
    if change.key == "t->2t":
        found = [(pair.from_step, pair.to_step, pair.interference) for pair in run.double]
    else:
        found = [(one.step, one.step + 1, one.interference) for one in run.one_step if one.split == change.split]
    return sorted(found, key=lambda row: row[:2])


def tokens(summary: SuiteSummary, change: Change) -> set[int]:
    """The numbers of tokens N that one kind of change was measured on."""
    return {found.N for run in summary.runs for _, _, found in changed(run, change)}


def titled(summary: SuiteSummary, change: Change) -> str:
    """The kind of change with its N, for panel titles."""
    n = sorted(tokens(summary, change))
    if not n:
        return change.words
    return f"{change.words} (N = {n[0]:,})" if len(n) == 1 else f"{change.words} (N from {n[0]:,} to {n[-1]:,})"


def warning(summary: SuiteSummary) -> str | None:
    """What to say where N differs, since D grows with N by chance alone; None where all N are equal."""
    n = set().union(*(tokens(summary, change) for change in CHANGES))
    if len(n) < 2:
        return None
    return (
        "N differs between panels: D of different N cannot be compared, because D grows with N by chance alone. "
        "Read each curve against the nulls of its own panel."
    )


def plot(summary: SuiteSummary, layout: Layout = "wide") -> Figure:
    """D above and M below, one column for each kind of change."""
    with style():
        looks = run_styles([run.name for run in summary.runs])
        fig, axes = panels(6, layout, height=2.55)
        order = range(6) if layout == "wide" else (0, 3, 1, 4, 2, 5)  # on phones M follows its own D
        for place, panel in zip(range(6), order, strict=True):
            change = CHANGES[panel % 3]
            _panel(axes[place], summary, looks, change, "D" if panel < 3 else "M")
        text = warning(summary)
        if text:
            note_above(fig, text, layout)
        legend_below(fig, _legend(looks, summary), layout)
    return fig


def _panel(ax: Axes, summary: SuiteSummary, looks: Sequence[RunStyle], change: Change, quantity: str) -> None:
    ax.set_title(titled(summary, change))
    if not tokens(summary, change):
        return say_empty(ax, "not measured in this suite")
    values, steps = [], []
    for run, look in zip(summary.runs, looks, strict=True):
        rows = changed(run, change)
        if rows:
            steps += [float(start) for start, _, _ in rows]
            values += series(ax, [float(s) for s, _, _ in rows], [found for _, _, found in rows], look, quantity)
            if run.fit.verdict == "decelerates":
                ax.axvline(run.fit.t_d, 0, 0.055, color=look.colour, linewidth=2.2, linestyle="-", zorder=4)
    log_axis(ax, "x", steps, pad=1.25)
    ax.set_xlabel("step t")
    if quantity == "D":
        ax.set_ylim(-0.02, 1.04)
        ax.set_ylabel("destructive interference D")
    else:
        log_axis(ax, "y", values, pad=1.3)
        ax.set_ylabel("movement M (nats per token)")
    return None


def _legend(looks: Sequence[RunStyle], summary: SuiteSummary) -> list[Line2D]:
    handles = run_handles(looks)
    handles += null_handles("text")
    if any(run.fit.verdict == "decelerates" for run in summary.runs):
        handles.append(entry("t_d, where the loss bends", marker="|", markersize=8, markeredgewidth=2.2))
    return handles


def alt(summary: SuiteSummary) -> str:
    """What the figure shows, for who cannot see it."""
    runs = " ".join(f"{printable(label(run, summary))}: {zero_sum(run)}" for run in summary.runs)
    return f"Destructive interference D and movement M against step, for three kinds of loss change. {runs}"


def table(summary: SuiteSummary) -> pd.DataFrame:
    """Every measurement: one row for each run, kind of change and step, with N, nulls and intervals."""
    rows = []
    for run in summary.runs:
        for change in CHANGES:
            for start, end, found in changed(run, change):
                head = {"run": run.name, "seed": run.seed, "change": change.key, "split": change.split}
                rows.append(head | {"from_step": start, "to_step": end} | interference_columns(found))
    return pd.DataFrame(rows)
