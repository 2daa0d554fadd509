"""Dissent of each parameter and layer at the last checkpoint, and how large repulsion is beside attraction."""

from collections.abc import Iterator
from typing import Any

from zerosum.dissent import NUMBERS, Dissent, PartForces, estimate_of
from zerosum.estimate import Estimate
from zerosum.gradients.parameters import layer_of
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.names import printable, short_distinct_names
from zerosum.show.report import Report
from zerosum.show.sections import _dissent as shared
from zerosum.show.table import SCREEN, Column, Table, Value

TITLE = "Dissent by layer and parameter"
PLACE = 66
HOW_TO_READ = (
    "The forces at all hidden states, propagated back and summed over the N tokens, at the last checkpoint. A dark "
    "diamond is a layer as one vector, small marks are its parameters, by their kind. Left: −cos of both forces. "
    "Right: length of repulsion over that of attraction; 1 where they balance. A point that is at 1 on both sides has "
    "a gradient of about 0: total dissent there says that the loss is stationary, not why. Of an embedding that is the "
    "head, too, only the path through the body is seen here."
)
KINDS = {"embedding": (2, "s"), "matrix": (0, "o"), "norm": (1, "^"), "bias": (3, "v")}  # colour, marker


def absent(report: Report) -> str | None:
    """Where no parameter has a dissent."""
    if (why := shared.none(report)) is not None:
        return why
    last = shared.measured(report).last
    if last.body is None:
        return last.reasons["body"]
    known = any(_value(part, "dissent", last).known for part in last.parameters)
    return None if known else "dissent is not known for any parameter"


def _value(part: PartForces, name: str, checkpoint: Dissent) -> Estimate:
    return estimate_of(part.forces, name, checkpoint.N)


def tables(report: Report) -> Iterator[Table]:
    """Every parameter and layer at every checkpoint for scripts, the layers of the last checkpoint for people."""
    over = shared.measured(report)
    for name in ("parameters", "layers"):
        parts = ((checkpoint, getattr(checkpoint, name)) for checkpoint in over.checkpoints)
        rows = [row for checkpoint, several in parts for row in shared.part_rows(checkpoint, several)]
        yield Table(name, f"Dissent of each of the {name}").with_csv(rows)
    last = over.last
    columns = (
        *(Column("layer", on=SCREEN), Column("coordinates", on=SCREEN)),
        *(Column(name, form=shared.FORM, on=SCREEN) for name in ("dissent", "ratio", "cancels")),
    )
    layers: tuple[tuple[Value, ...], ...] = tuple(
        (part.name, part.forces.numel, *(shared.cell(_value(part, name, last)) for name in NUMBERS))
        for part in (*last.layers, *shared.whole_body(last))
    )
    yield Table("", "All tokens together, in the layers", columns, layers)


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """Dissent in one panel, the ratio of magnitudes in the other; layers from the input down."""
    last = shared.measured(report).last
    at = "" if last.step is None else f"Step {n.count(last.step)}, "
    with d.style():
        fig, axes = d.panels(2, layout, height=max(2.2, 0.9 + 0.26 * len(last.layers)), columns=2)
        names = short_distinct_names([layer.name for layer in last.layers], 26 if layout != "narrow" else 18)
        for ax, name in zip(axes, ("dissent", "magnitude_ratio"), strict=True):
            _panel(ax, last, name)
            ax.set_yticks(range(len(names)), names)
            ax.set_ylim(len(names) - 0.5, -0.5)
        axes[0].set_xlabel("dissent, −cos")
        axes[1].set_xlabel("repulsion / attraction, lengths")
        axes[0].set_title(f"{at}N = {n.count(last.N)} tokens together")
        present = [kind for kind in KINDS if any(part.kind == kind for part in last.parameters)]
        entries = [d.entry("a layer as one vector", marker="D", markersize=6)]
        entries += [
            d.entry(kind, color=d.SERIES[KINDS[kind][0]], marker=KINDS[kind][1], markersize=4) for kind in present
        ]
        d.legend_below(fig, entries, layout)
    return fig


def layer_of_each(checkpoint: Dissent) -> list[int]:
    """Which layer, by its place in the model, each parameter is in."""
    names = [layer.name for layer in checkpoint.layers]
    return [names.index(layer_of(part.name)) for part in checkpoint.parameters]


def _panel(ax: "d.Axes", last: Dissent, name: str) -> None:
    values = [_value(part, name, last).value for part in last.parameters]
    for y, part, value in zip(layer_of_each(last), last.parameters, values, strict=True):
        colour, marker = KINDS[part.kind]
        ax.plot(value, y, color=d.SERIES[colour], marker=marker, linestyle="", markersize=4, alpha=0.8, zorder=3)
    of_layers = [_value(layer, name, last).value for layer in last.layers]
    ax.plot(of_layers, range(len(of_layers)), color=d.INK, marker="D", linestyle="", markersize=6, zorder=2.5)
    ax.axvline(1, color=d.MUTED, linewidth=0.8, zorder=1)
    if name == "magnitude_ratio":
        d.log_axis(ax, "x", [*values, *of_layers, 1.0], pad=1.15, most=8)


def alt(report: Report) -> str:
    """Alt text."""
    last = shared.measured(report).last
    layers = []
    for layer in last.layers:
        dissent, ratio = (_value(layer, name, last) for name in ("dissent", "magnitude_ratio"))
        if dissent.known:
            layers.append(
                f"{printable(layer.name, 60)}: {n.number(dissent.value, 3)}, ratio {n.number(ratio.value, 2)}"
            )
    at = "" if last.step is None else f" at step {n.count(last.step)}"
    return f"Dissent and ratio of magnitudes of each layer{at}. {'; '.join(layers)}."


def numbers(report: Report) -> list[dict[str, Any]]:
    """Each parameter and layer at the last checkpoint."""
    last = shared.measured(report).last
    return [*shared.part_rows(last, last.parameters), *shared.part_rows(last, last.layers)]
