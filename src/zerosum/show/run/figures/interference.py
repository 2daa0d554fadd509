"""D, M, R and the harmful share of each pair of checkpoints against step, with intervals and nulls."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zerosum.interference.labelled import StoreFindings
from zerosum.show.drawing.axes import log_axis, note_above, panels
from zerosum.show.drawing.interference_series import interference_columns, null_handles, series
from zerosum.show.drawing.legend import entry, legend_below
from zerosum.show.drawing.style import MUTED, Layout, RunStyle, run_styles, style
from zerosum.show.interference_words import against_chance, harm

TITLE = "How much cancels"
HOW_TO_READ = (
    "Each point is a pair of checkpoints, drawn at the earlier step. D is the share of all movement in single tokens' "
    "losses that cancels: 0 when every token moves the same way, 1 when some lose all that others gain. M is the "
    "movement itself: how far the average token's loss moved, in either direction. R is the net ratio, negative while "
    "the mean loss falls; D = 1 − |R|. The harmful share is how much of all movement made tokens worse; at one half "
    "nothing is won. Bands are 95 % intervals over whole documents or sequences. The grey lines are what D would be "
    "if each token, or each whole unit, moved up or down by chance."
)
QUANTITIES = {
    "D": "destructive interference D",
    "M": "movement M (nats per token)",
    "R": "net ratio R",
    "harmful_share": "harmful share of movement",
}


def plot(losses: StoreFindings, layout: Layout = "wide") -> Figure:
    """One panel for each quantity."""
    pairs = losses.found.sound or losses.found.pairs
    with style():
        look = run_styles(["this run"])[0]
        fig, axes = panels(4, layout, height=2.55, columns=2)
        for ax, quantity in zip(axes, QUANTITIES, strict=True):
            _panel(ax, losses, look, quantity)
        counts = sorted({pair.measured.N for pair in pairs})
        if len(counts) > 1:
            note_above(fig, "N differs between pairs: read each D against its own nulls, not against other D.", layout)
        label = f"this run, N = {counts[0]:,} tokens" if len(counts) == 1 else f"N = {counts[0]:,} to {counts[-1]:,}"
        handles = [entry(label, color=look.colour, marker=look.marker, linestyle=look.line)]
        even = entry("no net change", color=MUTED, linewidth=0.8)
        legend_below(fig, [*handles, *null_handles(losses.last.units), even], layout)
    return fig


def _panel(ax: Axes, losses: StoreFindings, look: RunStyle, quantity: str) -> None:
    pairs = sorted(losses.found.sound or losses.found.pairs, key=lambda pair: (pair.from_step, pair.to_step))
    steps = [float(pair.from_step) for pair in pairs]
    values = series(ax, steps, [pair.measured for pair in pairs], look, quantity)
    log_axis(ax, "x", steps, pad=1.25)
    ax.set_xlabel("earlier step t of the pair")
    ax.set_ylabel(QUANTITIES[quantity])
    if quantity == "M":
        log_axis(ax, "y", values, pad=1.3)
        return
    even = {"R": 0.0, "harmful_share": 0.5}.get(quantity)
    if even is not None:
        ax.axhline(even, color=MUTED, linewidth=0.8, zorder=1)
    low = -1.04 if quantity == "R" else -0.02
    ax.set_ylim(low, 1.04 if quantity != "R" or max(values) > 0.3 else 0.4)


def alt(losses: StoreFindings) -> str:
    """What the figure shows, for who cannot see it."""
    last = losses.last
    sure = f" {against_chance(last)}" if last.measured.interval else ""
    return f"D, M, R and the harmful share of each pair of checkpoints against step. {harm(last)}{sure}"


def table(losses: StoreFindings) -> pd.DataFrame:
    """One row for each pair with N, nulls, intervals and the noise floor."""
    return pd.DataFrame([
        {"from_step": pair.from_step, "to_step": pair.to_step}
        | interference_columns(pair.measured)
        | {
            "problem": pair.problem, "unit": pair.units, "left_out": pair.measured.left_out,
            "noise_floor": pair.noise_floor.M, "noise_floor_D": pair.noise_floor.D,
        }
        for pair in losses.found.pairs
    ])  # fmt: skip
