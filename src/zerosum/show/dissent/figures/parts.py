"""Dissent of each parameter and layer at the last checkpoint, and how large repulsion is beside attraction."""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zerosum.show.dissent import tables
from zerosum.show.dissent.subject import DissentOverTraining, Document, known
from zerosum.show.drawing.axes import log_axis, panels
from zerosum.show.drawing.legend import entry, legend_below
from zerosum.show.drawing.style import INK, MUTED, SERIES, Layout, style
from zerosum.show.names import printable, told_apart
from zerosum.show.numbers import count

TITLE = "Dissent by layer and parameter"
HOW_TO_READ = (
    "The forces at all hidden states, propagated back and summed over the N tokens, at the last checkpoint. A dark "
    "diamond is a layer as one vector, small marks are its parameters, by their kind. Left: −cos of both forces. "
    "Right: length of repulsion over that of attraction; 1 where they balance. A point that is at 1 on both sides has "
    "a gradient of about 0: total dissent there says that the loss is stationary, not why. Of an embedding that is the "
    "head, too, only the path through the body is seen here."
)
KINDS = {
    "embedding": (SERIES[2], "s"),
    "matrix": (SERIES[0], "o"),
    "norm": (SERIES[1], "^"),
    "bias": (SERIES[3], "v"),
}


def plot(over: DissentOverTraining, layout: Layout = "wide") -> Figure:
    """Dissent in one panel, the ratio of magnitudes in the other; layers from the input down."""
    with style():
        layers = over.last["layers"]
        fig, axes = panels(2, layout, height=max(2.2, 0.9 + 0.26 * len(layers)), columns=2)
        longest = 26 if layout != "narrow" else 18
        names = told_apart([one["name"] for one in layers], longest)
        for ax, name in zip(axes, ("dissent", "magnitude_ratio"), strict=True):
            _panel(ax, over.last, name)
            ax.set_yticks(range(len(layers)), names)
            ax.set_ylim(len(layers) - 0.5, -0.5)
        axes[0].set_xlabel("dissent, −cos")
        axes[1].set_xlabel("repulsion / attraction, lengths")
        axes[0].set_title(f"Step {count(over.last['step'])}, N = {count(over.last['N'])} tokens together")
        present = [kind for kind in KINDS if any(one["kind"] == kind for one in over.last["parameters"])]
        handles = [entry("a layer as one vector", marker="D", markersize=6)]
        handles += [entry(kind, color=KINDS[kind][0], marker=KINDS[kind][1], markersize=4) for kind in present]
        legend_below(fig, handles, layout)
    return fig


def layer_of_each(document: Document) -> list[int]:
    """Which layer, by its place, each parameter is in: the longest name that its own begins with."""
    names = [one["name"] for one in document["layers"]]
    found = []
    for one in document["parameters"]:
        inside = [k for k, name in enumerate(names) if f"{one['name']}.".startswith(f"{name}.")]
        found.append(max(inside, key=lambda k: len(names[k])))
    return found


def _panel(ax: Axes, last: Document, name: str) -> None:
    values = [known(one[name]) for one in last["parameters"]]
    for y, one, value in zip(layer_of_each(last), last["parameters"], values, strict=True):
        colour, marker = KINDS[one["kind"]]
        ax.plot(value, y, color=colour, marker=marker, linestyle="", markersize=4, alpha=0.8, zorder=3)
    of_layers = [known(one[name]) for one in last["layers"]]
    ax.plot(of_layers, range(len(of_layers)), color=INK, marker="D", linestyle="", markersize=6, zorder=2.5)
    ax.axvline(1, color=MUTED, linewidth=0.8, zorder=1)
    if name == "magnitude_ratio":
        log_axis(ax, "x", [*values, *of_layers, 1.0], pad=1.15, most=8)


def alt(over: DissentOverTraining) -> str:
    """What the figure shows, for who cannot see it."""
    said = [
        f"{printable(one['name'], 60)}: {known(one['dissent']):.3f}, ratio {known(one['magnitude_ratio']):.2f}"
        for one in over.last["layers"]
        if not math.isnan(known(one["dissent"]))
    ]
    return f"Dissent and ratio of magnitudes of each layer at step {count(over.last['step'])}. {'; '.join(said)}."


def table(over: DissentOverTraining) -> pd.DataFrame:
    """Each parameter and layer at the last checkpoint."""
    last = DissentOverTraining((over.last,))
    return pd.concat([tables.parts(last, "parameters"), tables.parts(last, "layers")], ignore_index=True)
