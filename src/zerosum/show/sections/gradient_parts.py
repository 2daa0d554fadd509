"""Opposition by layer and type of parameter, at the last checkpoint: a heat map of D_grad, and one of C_g."""

from collections.abc import Iterator, Sequence
from typing import Any

from zerosum.estimate import Estimate
from zerosum.gradients import GradientInterference, GradientsOverTraining
from zerosum.gradients.over_training import Cell, LayerAgreement, agreement_by_layer, cells
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.section import with_sentences
from zerosum.show.sections import _gradient_words as words
from zerosum.show.table import PEOPLE, Column, Table, Text, Value

TITLE = "Where tokens oppose each other"
PLACE = 54
OF_ONE_RUN = GradientsOverTraining
HOW_TO_READ = (
    "A row for each layer, from the input down to the output, a column for each type of parameter, at the last "
    "checkpoint. D_grad in a field is the share of the gradient that cancels between tokens, mean over coordinates: "
    "the stronger the colour, the more cancels. C_g, where an update was given, says how much tokens agree in it, "
    "each coordinate weighted by how far the update moves it: the stronger the colour, the more they agree. Colours "
    "of a map run from its lowest to its highest matrix, so that they tell fields of one map apart and say nothing "
    "across maps; norms and biases beyond have the colour of the end, and the legend has the numbers. Embedding and "
    "head are left out, as in D_grad of the model. A dash: not known; an empty field: no such parameter. Numbered "
    "modules of one layer, such as experts, are one column with a star."
)
COLOURS = {"D_grad": 0, "C_g": 2}
FAINT, STRONG = 0.06, 0.5  # opacity at the ends of a map: numbers stay readable on both papers
CLOSE = 0.1  # between ends from which a third decimal helps
ROWS, COLUMNS = 100, 24  # most in a map
LONGEST = 26  # letters of the name of a type
ROOM = {"wide": 0.36, "narrow": 0.25, "print": 0.25}  # inches that a number needs


def absent(report: Report) -> str | None:
    """Where neither number of any parameter is known."""
    over = report.only(GradientsOverTraining)
    if over is None:
        return ""
    fields = cells(over.last)
    if any(_number(cell, name).known for cell in fields for name in COLOURS):
        return None
    return next((cell.D_grad.reason for cell in fields), "no parameter beside embedding and head was measured")


def _number(cell: Cell, name: str) -> Estimate:
    number: Estimate = getattr(cell, name)
    return number


def _extremes(checkpoint: GradientInterference) -> tuple[str, str] | None:
    """The fields where least and most of the gradient cancels, in words; None where no D_grad is known."""
    known = sorted((cell for cell in cells(checkpoint) if cell.D_grad.known), key=lambda cell: cell.D_grad.value)
    if not known:
        return None
    least, most = (
        f"{printable(cell.layer, 60)} {printable(cell.type, 60)} ({n.number(cell.D_grad.value, 3)})"
        for cell in (known[0], known[-1])
    )
    return least, most


def sentences(report: Report) -> Iterator[str]:
    """Where least and most cancels."""
    checkpoint = words.measured(report).last
    if extremes := _extremes(checkpoint):
        yield words.at_step(checkpoint, f"least of the gradient cancels in {extremes[0]}, most in {extremes[1]}.")


def tables(report: Report) -> Iterator[Table]:
    """Every layer of the last checkpoint, in the model's order, and when its agreement had halved."""
    over = words.measured(report)
    last, halved = over.last, {layer.layer: layer for layer in agreement_by_layer(over.main)}
    names = [
        name
        for name in ("D_grad", "C_g", "C_ug", "C_uG")
        if any(last.estimate_of(layer, name).known for layer in last.layers)
    ]
    columns = [Column("layer", "Layer", on=PEOPLE), Column("coordinates", "Coordinates", "touched of all", on=PEOPLE)]
    columns += [Column(name, form=words.SHARE, on=PEOPLE) for name in names]
    if halved:
        columns.append(Column("halved", "Agreement halved", "step; between checkpoints", on=PEOPLE))
    rows: list[tuple[Value, ...]] = []
    for layer in last.layers:
        touched = "—" if layer.touched is None else n.count(layer.touched)
        row: tuple[Value, ...] = (
            layer.name,
            Text(touched, n.count(layer.numel)),
            *(last.estimate_of(layer, name) for name in names),
        )
        rows.append((*row, _halved(halved.get(layer.name))) if halved else row)
    proxy = ", of the positionwise proxy" if last.is_proxy else ""
    caption = f"Every layer at step {n.count(last.step)} (N = {n.count(last.N)} tokens{proxy})"
    yield Table("layers", caption, tuple(columns), tuple(rows))


def _halved(layer: LayerAgreement | None) -> Text:
    if layer is None:
        return Text("—", note="embedding and head are left out")
    if not layer.halved.within:
        return Text("—", note="not within these checkpoints")
    ends = f"[{n.count(layer.halved.low)},\xa0{n.count(layer.halved.high)}]"
    return Text(words.interpolated_step(layer.halved.step), ends)


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """One map for each of the two numbers that is known."""
    over = words.measured(report)
    every = cells(over.last)
    drawn = _largest(every)
    names = [name for name in COLOURS if any(_number(cell, name).known for cell in drawn)]
    layers = len({cell.layer for cell in drawn})
    row = max(0.1, min(0.24, 9.0 / layers))
    with d.style():
        fig, axes = d.panels(len(names), layout, height=2.0 + row * layers, columns=2)
        entries: list[d.Patch] = []
        for ax, name in zip(axes, names, strict=True):
            ends = ends_of(drawn, name)
            width = fig.get_figwidth() / (1 if layout == "narrow" else min(len(names), 2)) - 1.4
            _panel(ax, drawn, name, ends, row, width, layout)
            entries += _legend(drawn, name, ends)
            ax.set_title(f"{name}, step {n.count(over.last.step)}, N = {over.last.N:,}")
        if note := _note(over.last, len(every) - len(drawn)):
            d.note_above(fig, note, layout)
        d.legend_below(fig, entries, layout)
    return fig


def _largest(fields: Sequence[Cell]) -> list[Cell]:
    """Those of the first layers, and of the types with most coordinates."""
    layers = list(dict.fromkeys(cell.layer for cell in fields))[:ROWS]
    sizes: dict[str, int] = {}
    for cell in fields:
        sizes[cell.type] = sizes.get(cell.type, 0) + cell.numel
    types = sorted(sizes, key=lambda name: -sizes[name])[:COLUMNS]
    return [cell for cell in fields if cell.layer in layers and cell.type in types]


def _note(checkpoint: GradientInterference, hidden: int) -> str:
    notes = [words.PROXY] if checkpoint.is_proxy else []
    if hidden:
        notes.append(f"{n.count(hidden)} fields of further layers or smaller types are in gradient-parts.csv alone.")
    return " ".join(notes)


def ends_of(fields: Sequence[Cell], name: str) -> tuple[float, float]:
    """What the colours of a map run between: the lowest and the highest matrix, if there are any that are known."""
    known = [(cell.kind, _number(cell, name).value) for cell in fields if _number(cell, name).known]
    values = [value for kind, value in known if kind == "matrix"] or [value for _, value in known]
    return min(values), max(values)


def _shade(value: float, ends: tuple[float, float]) -> float:
    low, high = ends
    return STRONG if high == low else FAINT + (STRONG - FAINT) * (min(max(value, low), high) - low) / (high - low)


def _panel(
    ax: "d.Axes",
    fields: Sequence[Cell],
    name: str,
    ends: tuple[float, float],
    row: float,
    width: float,
    layout: "d.Layout",
) -> None:
    """row: its height, width: of all columns, inches."""
    layers, types = (list(dict.fromkeys(names)) for names in zip(*((c.layer, c.type) for c in fields), strict=True))
    values = {(cell.layer, cell.type): _number(cell, name).value for cell in fields}
    rows = [[values.get((layer, kind)) for kind in types] for layer in layers]
    column = width / len(types)
    places = 3 if ends[1] - ends[0] < CLOSE and column >= 1.3 * ROOM[layout] else 2
    has_room = column >= ROOM[layout] and row >= 0.12
    colour = d.SERIES[COLOURS[name]]
    d.heat_map(
        ax,
        rows,
        lambda value: d.to_rgba(colour, _shade(value, ends)),
        (lambda value: n.number(value, places)) if has_room else None,
    )
    _names(ax, layers, types, row, column, layout)


def _names(
    ax: "d.Axes", layers: Sequence[str], types: Sequence[str], row: float, column: float, layout: "d.Layout"
) -> None:
    """Both axes. row, column: inches."""
    slanted = column >= 0.5
    ax.set_xticks(
        range(len(types)),
        [words.ending(name, LONGEST) for name in types],
        rotation=40 if slanted else 90,
        ha="right" if slanted else "center",
        rotation_mode="anchor" if slanted else "default",
    )
    ax.set_yticks(range(len(layers)), [words.ending(name, 22 if layout == "wide" else 16) for name in layers])
    ax.tick_params(length=0, labelsize=min(8.5, 72 * row * 0.9))
    ax.tick_params(axis="x", labelsize=8)


def _legend(fields: Sequence[Cell], name: str, ends: tuple[float, float]) -> "list[d.Patch]":
    """The ends and the middle of the colours of a map."""
    low, high = ends
    places = 3 if high - low < CLOSE else 2
    shown = [low] if low == high else [low, (low + high) / 2, high]
    labels = [f"{name} = {n.number(value, places)}" for value in shown]
    values = [_number(cell, name).value for cell in fields]
    labels[0] += " or less" if any(value < low for value in values) else ""
    labels[-1] += " or more" if any(value > high for value in values) else ""
    colour = d.SERIES[COLOURS[name]]
    return [
        d.Patch(facecolor=d.to_rgba(colour, _shade(value, ends)), edgecolor=d.MUTED, linewidth=0.5, label=label)
        for value, label in zip(shown, labels, strict=True)
    ]


alt = with_sentences(
    "D_grad and C_g of each layer and each type of parameter at the last checkpoint, as maps of coloured fields.",
    sentences,
)


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each layer and type, also those that are not drawn."""
    last = words.measured(report).last
    return [
        {
            **{"step": last.step, "method": printable(last.method, 40), "N": last.N},
            **{"layer": printable(cell.layer), "type": printable(cell.type)},
            **{"D_grad": cell.D_grad.value, "C_g": cell.C_g.value, "numel": cell.numel, "parameters": cell.n},
            "D_grad_reason": "" if cell.D_grad.known else printable(cell.D_grad.reason),
        }
        for cell in cells(last)
    ]
