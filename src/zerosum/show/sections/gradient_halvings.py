"""Which layers lose agreement first: 1 - D_grad of each against step, and the step at which it had halved."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from zerosum.gradients import GradientsOverTraining
from zerosum.gradients.over_training import LayerAgreement, agreement_by_layer
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.section import with_sentences
from zerosum.show.sections import _gradient_axes as axes
from zerosum.show.sections import _gradient_words as words
from zerosum.show.table import SCRIPTS, Column, Table

TITLE = "Which layers lose agreement first"
PLACE = 55
OF_ONE_RUN = GradientsOverTraining
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
MARKED = 12  # layers up to which lines have a mark at each checkpoint
NAMED = 3  # layers in a sentence
FORMULAS = {
    "Agreement had halved": """The first time after its largest value at which <code>1 − D_grad</code> of a layer
is at most half of that, interpolated between two checkpoints on the logarithm of the step.""",
}


def absent(report: Report) -> str | None:
    """Where no two checkpoints can be compared, or D_grad of no layer is known."""
    over = report.only(GradientsOverTraining)
    if over is None:
        return ""
    if len(over.checkpoints) < 2:
        return words.ONE
    if len(over.main.checkpoints) < 2:
        return "no two checkpoints were measured over the same N, and D of different N cannot be compared"
    return None if agreement_by_layer(over.main) else "D_grad of the layers is not known"


def sentences(report: Report) -> Iterator[str]:
    """In which layers agreement halved first."""
    yield first_halved(words.measured(report))


def first_halved(over: GradientsOverTraining) -> str:
    """In which layers agreement halved first, and in how many it did not."""
    layers = agreement_by_layer(over.main)
    halved = [layer for layer in layers if layer.halved.within]
    many = f"{n.count(len(layers))} layers" if len(layers) > 1 else "the only layer"
    if not halved:
        return f"In none of {many} did agreement between tokens, 1 − D_grad, fall to half of its largest value."
    first = "; ".join(map(_when, halved[:NAMED]))
    left = len(layers) - len(halved)
    rest = f" In {n.count(left)} of {many} it did not within these checkpoints." if left else ""
    return f"Agreement between tokens, 1 − D_grad, fell to half of its largest value first in {first}.{rest}"


def _when(layer: LayerAgreement) -> str:
    halved = layer.halved
    between = f"between {n.count(halved.low)} and {n.count(halved.high)}"
    return f"{words.ending(layer.layer, 40)} (step {words.interpolated_step(halved.step)}, {between})"


def tables(report: Report) -> Iterator[Table]:
    """For scripts: each layer's largest agreement, and the step at which that had halved."""
    over = words.measured(report)
    names = [
        *("layer", "depth", "N", "largest_agreement", "last_agreement"),
        *("halved_at_step", "after_checkpoint", "by_checkpoint"),
    ]
    rows = tuple(
        (
            *(printable(layer.layer), layer.depth, over.main.N, layer.halved.largest, float(layer.agreement[-1])),
            *(layer.halved.step, layer.halved.low, layer.halved.high),
        )
        for layer in agreement_by_layer(over.main)
    )
    yield Table(
        "halvings", "When each layer's agreement had halved", tuple(Column(name, on=SCRIPTS) for name in names), rows
    )


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """Agreement of each layer, and when it had halved."""
    over = words.measured(report)
    layers = agreement_by_layer(over.main)
    drawn = layers[:MOST]
    row = max(0.11, min(0.22, 8.0 / len(drawn)))
    tall = max(2.9, 0.9 + row * len(drawn))
    with d.style():
        fig, (lines, order) = d.panels(2, layout, height=tall, columns=2)
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
        if note := _note(over, len(layers)):
            d.note_above(fig, note, layout)
        d.legend_below(fig, _entries(drawn), layout)
    return fig


def _note(over: GradientsOverTraining, layers: int) -> str:
    hidden = f"The first {MOST} of {layers} layers; gradient-halvings.csv has all." if layers > MOST else ""
    proxy = words.PROXY if over.main.is_proxy else ""
    return " ".join(filter(None, (words.not_compared(over), hidden, proxy)))


def _strength(layer: LayerAgreement, deepest: int) -> float:
    return 1.0 if deepest == 0 else 0.25 + 0.75 * layer.depth / deepest


def _lines(ax: "d.Axes", drawn: Sequence[LayerAgreement]) -> None:
    deepest = max(layer.depth for layer in drawn)
    reached: list[float] = []
    size = 2.5 if len(drawn) <= MARKED else 0
    for layer in drawn:
        value = np.where(layer.agreement > 0, layer.agreement, np.nan)
        strength = _strength(layer, deepest)
        ax.plot(layer.step, value, "o-", color=d.SERIES[0], alpha=strength, markersize=size, linewidth=1.3)
        reached += value[np.isfinite(value)].tolist()
    axes.step_axis(ax, drawn[0].step.tolist())
    d.log_axis(ax, "y", reached, pad=1.2)


def _order(ax: "d.Axes", drawn: Sequence[LayerAgreement], row: float, layout: "d.Layout") -> None:
    steps = drawn[0].step
    deepest, last = max(layer.depth for layer in drawn), float(steps.max())
    for y, layer in enumerate(drawn):
        halved = layer.halved
        if halved.within:
            ax.hlines(y, halved.low, halved.high, color=d.SERIES[0], alpha=0.35, linewidth=1.2)
            ax.plot(halved.step, y, "o", color=d.SERIES[0], alpha=_strength(layer, deepest), markersize=4)
        else:
            ax.plot(last, y, "o", color=d.PAPER, markeredgecolor=d.MUTED, markersize=4)
    axes.step_axis(ax, steps.tolist(), "step t")
    names = [words.ending(layer.layer, 16 if layout == "narrow" else 24) for layer in drawn]
    ax.set_yticks(range(len(drawn)), names, fontsize=min(8.5, 72 * row * 0.8))
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(drawn) - 0.4, -0.6)
    ax.grid(False, axis="y")


def _entries(drawn: Sequence[LayerAgreement]) -> "list[d.Line2D]":
    by_depth = sorted(drawn, key=lambda layer: layer.depth)
    deepest = by_depth[-1].depth
    ends = [by_depth[0], by_depth[-1]] if len(by_depth) > 1 else by_depth
    look: dict[str, Any] = {"color": d.SERIES[0], "marker": "o", "linestyle": "-"}
    entries = [d.entry(words.ending(layer.layer, 24), alpha=_strength(layer, deepest), **look) for layer in ends]
    entries.append(d.entry("halved, between two checkpoints", markersize=4, alpha=0.6, **look))
    if any(not layer.halved.within for layer in drawn):
        hollow = {"marker": "o", "markerfacecolor": d.PAPER, "markeredgecolor": d.MUTED}
        entries.append(d.entry("not within these checkpoints", **hollow))
    return entries


alt = with_sentences(
    "Agreement between tokens, 1 − D_grad, of each layer against step, and the step at which it had halved.", sentences
)


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each layer and step, with the step at which its agreement had halved, or NaN."""
    over = words.measured(report)
    return [
        {
            **{"layer": printable(layer.layer), "depth": layer.depth, "N": over.main.N, "step": step},
            **{"agreement": agreement, "halved_at_step": layer.halved.step},
            **{"after_checkpoint": layer.halved.low, "by_checkpoint": layer.halved.high},
        }
        for layer in agreement_by_layer(over.main)
        for step, agreement in zip(layer.step.tolist(), layer.agreement.tolist(), strict=True)
    ]
