"""Which layers lose agreement first: 1 - D_grad of each against step, and the step at which it had halved."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from zerosum.show.drawing.axes import log_axis, note_above, panels
from zerosum.show.drawing.legend import entry, legend_below
from zerosum.show.drawing.style import MUTED, PAPER, SERIES, Layout, style
from zerosum.show.gradients.figures.over_steps import ONE, step_axis
from zerosum.show.gradients.halving import LayerAgreement, agreement_by_layer
from zerosum.show.gradients.subject import GradientsOverTraining
from zerosum.show.gradients.words import ending, halved, not_compared
from zerosum.show.names import printable
from zerosum.show.numbers import count

TITLE = "Which layers lose agreement first"
HOW_TO_READ = (
    "Left: agreement between tokens, 1 − D_grad, of each layer against step, on a logarithmic axis; the stronger a "
    "line, the nearer to the output. Right: the step at which the agreement of a layer had fallen to half of its "
    "largest value, the first time after that; layers that lost it first are at the top. It is interpolated between "
    "the two checkpoints around it, on the logarithm of the step; the bar reaches from one to the other, and nothing "
    "is known about where in between it was. A hollow mark at the right end: not within these checkpoints. D's of "
    "different N are not comparable, so all checkpoints here have the same N; others are left out and named. Layers "
    "of nothing but embedding or head are left out. The order describes these checkpoints and these tokens; it names "
    "no cause."
)
MOST = 64  # layers drawn
DOTTED = 12  # layers up to which lines have a mark at each checkpoint


def absent(over: GradientsOverTraining) -> str:
    """Why there is no such figure; nothing where there is one."""
    if len(over.checkpoints) < 2:
        return ONE
    if len(over.main.checkpoints) < 2:
        return "no two checkpoints were measured over the same N, and D of different N cannot be compared"
    return "" if agreement_by_layer(over.main) else "D_grad of the layers is not known"


def plot(over: GradientsOverTraining, layout: Layout = "wide") -> Figure:
    """Agreement of each layer, and when it had halved."""
    with style():
        found = agreement_by_layer(over.main)
        drawn = found[:MOST]
        row = max(0.11, min(0.22, 8.0 / len(drawn)))
        tall = max(2.9, 0.9 + row * len(drawn))
        fig, (lines, order) = panels(2, layout, height=tall, columns=2)
        place = lines.get_subplotspec()
        if layout == "narrow" and place is not None:  # the lines need no more room where there are many layers
            place.get_gridspec().set_height_ratios([2.9, tall])
            fig.set_size_inches(fig.get_figwidth(), 3.5 + tall)
        _lines(lines, drawn)
        _order(order, drawn, row, layout)
        order.set_xlim(lines.get_xlim())
        lines.set_title(f"agreement, N = {over.main.N:,} tokens")
        lines.set_ylabel("1 − D_grad")
        order.set_title("agreement had halved at")
        said = [not_compared(over)] if over.left_out else []
        said += (
            [f"The first {MOST} of {len(found)} layers; gradient-halvings.csv has all."] if len(found) > MOST else []
        )
        said += ["This is the positionwise proxy, not the gradients of single tokens."] if over.main.proxy else []
        if said:
            note_above(fig, " ".join(said), layout)
        legend_below(fig, _handles(drawn), layout)
    return fig


def _strength(one: LayerAgreement, deepest: int) -> float:
    return 1.0 if deepest == 0 else 0.25 + 0.75 * one.depth / deepest


def _lines(ax: Axes, drawn: Sequence[LayerAgreement]) -> None:
    deepest = max(one.depth for one in drawn)
    reached: list[float] = []
    dots = 2.5 if len(drawn) <= DOTTED else 0
    for one in drawn:
        value = np.where(one.agreement > 0, one.agreement, np.nan)
        strength = _strength(one, deepest)
        ax.plot(one.step, value, "o-", color=SERIES[0], alpha=strength, markersize=dots, linewidth=1.3)
        reached += value[np.isfinite(value)].tolist()
    step_axis(ax, drawn[0].step.tolist())
    log_axis(ax, "y", reached, pad=1.2)


def _order(ax: Axes, drawn: Sequence[LayerAgreement], row: float, layout: Layout) -> None:
    steps = drawn[0].step
    deepest, last = max(one.depth for one in drawn), float(steps.max())
    for y, one in enumerate(drawn):
        found = one.halved
        if found.within:
            ax.hlines(y, found.low, found.high, color=SERIES[0], alpha=0.35, linewidth=1.2)
            ax.plot(found.step, y, "o", color=SERIES[0], alpha=_strength(one, deepest), markersize=4)
        else:
            ax.plot(last, y, "o", color=PAPER, markeredgecolor=MUTED, markersize=4)
    step_axis(ax, steps.tolist(), "step t")
    names = [ending(one.layer, 16 if layout == "narrow" else 24) for one in drawn]
    ax.set_yticks(range(len(drawn)), names, fontsize=min(8.5, 72 * row * 0.8))
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(drawn) - 0.4, -0.6)
    ax.grid(False, axis="y")


def _handles(drawn: Sequence[LayerAgreement]) -> list[Line2D]:
    ends = sorted(drawn, key=lambda one: one.depth)
    deepest = ends[-1].depth
    shown = [ends[0], ends[-1]] if len(ends) > 1 else ends
    found = [
        entry(ending(one.layer, 24), color=SERIES[0], alpha=_strength(one, deepest), marker="o", linestyle="-")
        for one in shown
    ]
    found.append(
        entry("halved, between two checkpoints", color=SERIES[0], marker="o", markersize=4, linestyle="-", alpha=0.6)
    )
    if any(not one.halved.within for one in drawn):
        found.append(entry("not within these checkpoints", marker="o", markerfacecolor=PAPER, markeredgecolor=MUTED))
    return found


def alt(over: GradientsOverTraining) -> str:
    """What the figure shows, for who cannot see it."""
    many = len(agreement_by_layer(over.main))
    what = f"Agreement between tokens, 1 − D_grad, of {count(many)} layers against step, and when it had halved."
    return f"{what} {halved(over)}"


def table(over: GradientsOverTraining) -> pd.DataFrame:
    """One row for each layer and step, with the step at which its agreement had halved, or NaN."""
    return pd.DataFrame([
        {
            "layer": printable(one.layer), "depth": one.depth, "N": over.main.N, "step": step, "agreement": agreement,
            "halved_at_step": one.halved.step, "after_checkpoint": one.halved.low, "by_checkpoint": one.halved.high,
        }
        for one in agreement_by_layer(over.main)
        for step, agreement in zip(one.step.tolist(), one.agreement.tolist(), strict=True)
    ])  # fmt: skip
