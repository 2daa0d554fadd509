"""Do the same tokens keep paying: agreement of signs between pairs of checkpoints, and how often a token got worse."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zerosum.interference.labelled import StoreFindings, WorseOften
from zerosum.show.drawing.axes import log_axis, panels, say_empty
from zerosum.show.drawing.legend import entry, legend_below
from zerosum.show.drawing.style import INK, MUTED, SERIES, Layout, style
from zerosum.show.numbers import percent

TITLE = "Do the same tokens keep paying?"
HOW_TO_READ = (
    "Left: of tokens in two pairs of checkpoints, the share whose losses moved the same way in both, weighted by how "
    "far they moved, minus what independent signs would give. Above 0 the same tokens keep gaining or keep paying; "
    "below 0 they take turns. Bars are 95 % intervals. Pairs that share a checkpoint (hollow) lean below 0 by "
    "themselves, because what is chance in that checkpoint enters both with opposite signs; trust the full marks. "
    "Right: in how many successive pairs a token got worse, beside what signs independent from pair to pair would "
    "give. More tokens at both ends than expected: some pay again and again, others never."
)


def plot(losses: StoreFindings, layout: Layout = "wide") -> Figure:
    """Agreement against step, and how often tokens got worse."""
    with style():
        fig, (left, right) = panels(2, layout, height=2.6, columns=2)
        _agreement(left, losses)
        _times(right, losses.found.worse_often)
        handles = [
            entry("no checkpoint in common", marker="o", color=SERIES[0]),
            entry("one checkpoint in common", marker="o", color=SERIES[0], markerfacecolor="none"),
            entry("tokens", color=SERIES[0], linewidth=6, alpha=0.45),
            entry("independent signs", marker="_", markersize=11, color=INK),
        ]
        legend_below(fig, handles, layout)
    return fig


def _agreement(ax: Axes, losses: StoreFindings) -> None:
    rows = [row for row in losses.found.persistence if np.isfinite(row.found.excess)]
    if not rows:
        return say_empty(ax, "no two pairs of checkpoints to compare")
    ax.axhline(0, color=MUTED, linewidth=0.8)
    for row in rows:
        ends = row.found.intervals.get("excess")
        x = float(row.second[0])
        if ends:
            ax.plot([x, x], [100 * end for end in ends], color=SERIES[0], linewidth=1.2)
        face = "none" if row.shares_checkpoint else SERIES[0]
        ax.plot(x, 100 * row.found.excess, "o", color=SERIES[0], markerfacecolor=face)
    log_axis(ax, "x", [float(row.second[0]) for row in rows], pad=1.25)
    ax.set_xlabel("first step of the later pair")
    ax.set_ylabel("agreement over chance (% points)")
    return None


def _times(ax: Axes, found: WorseOften | None) -> None:
    if found is None:
        return say_empty(ax, "fewer than two successive pairs of the same tokens")
    times = np.arange(len(found.times))
    ax.bar(times, 100 * np.array(found.times), 0.8, color=SERIES[0], alpha=0.45, linewidth=0)
    ax.plot(times, 100 * np.array(found.times_expected), "_", color=INK, markersize=14)
    ax.set_xticks(times)
    ax.grid(False, axis="x")
    ax.set_xlabel(f"pairs in which the token got worse, of {len(found.pairs)}")
    ax.set_ylabel(f"% of N = {found.N:,} tokens")
    return None


def alt(losses: StoreFindings) -> str:
    """What the figure shows, for who cannot see it."""
    apart = [row for row in losses.found.persistence if not row.shares_checkpoint]
    said = f"the last without a common checkpoint is {100 * apart[-1].found.excess:.1f} % points" if apart else ""
    found = losses.found.worse_often
    times = (
        f"{percent(found.share)} of tokens got worse in at least {found.at_least} of {len(found.pairs)} pairs, "
        f"{percent(found.expected)} were signs independent."
        if found
        else "too few successive pairs to count."
    )
    return f"Agreement of signs between pairs of checkpoints over chance: {said}. How often tokens got worse: {times}"


def table(losses: StoreFindings) -> pd.DataFrame:
    """One row for each two pairs that were compared."""
    rows = []
    for row in losses.found.persistence:
        found = row.found
        low, high = found.intervals.get("excess", (np.nan, np.nan))
        rows.append({
            "from_step": row.first[0], "to_step": row.first[1], "later_from_step": row.second[0],
            "later_to_step": row.second[1], "shares_checkpoint": row.shares_checkpoint, "agreement": found.agreement,
            "expected": found.expected, "excess": found.excess, "excess_low": low, "excess_high": high, "N": found.N,
            "n_units": found.n_units, "no_interval": found.interval_reason or "",
        })  # fmt: skip
    return pd.DataFrame(rows)
