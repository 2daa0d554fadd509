"""Opposition by layer and type of parameter, at the last checkpoint: a heat map of D_grad, and one of C_g."""

import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from zerosum.show.drawing.axes import WIDTH, note_above, panels
from zerosum.show.drawing.legend import legend_below
from zerosum.show.drawing.style import INK, MUTED, SERIES, Layout, style
from zerosum.show.gradients.by_type import Cell, cells
from zerosum.show.gradients.subject import GradientsOverTraining
from zerosum.show.gradients.words import ending
from zerosum.show.names import printable
from zerosum.show.numbers import count, number

TITLE = "Where tokens oppose each other"
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
LOOKS = {"D_grad": SERIES[0], "C_g": SERIES[2]}
FAINT, STRONG = 0.06, 0.5  # opacity at the ends of a map: numbers stay readable on both papers
CLOSE = 0.1  # between ends from which a third decimal helps
ROWS, COLUMNS = 100, 24  # most in a map
LONGEST = 26  # letters of the name of a type
PLACES = {"wide": 0.36, "narrow": 0.25, "print": 0.25}  # inches that a number needs


def absent(over: GradientsOverTraining) -> str:
    """Why there is no such figure; nothing where there is one."""
    found = cells(over.last)
    if any(math.isfinite(getattr(cell, name)) for cell in found for name in LOOKS):
        return ""
    return next((cell.reason for cell in found), "no parameter beside embedding and head was measured")


def plot(over: GradientsOverTraining, layout: Layout = "wide") -> Figure:
    """One map for each of the two numbers that is known."""
    with style():
        found = _kept(cells(over.last))
        names = [name for name in LOOKS if any(math.isfinite(getattr(cell, name)) for cell in found)]
        layers = list(dict.fromkeys(cell.layer for cell in found))
        row = max(0.1, min(0.24, 9.0 / len(layers)))
        fig, axes = panels(len(names), layout, height=2.0 + row * len(layers), columns=2)
        handles: list[Patch] = []
        for ax, name in zip(axes, names, strict=True):
            ends = ends_of(found, name)
            _panel(ax, found, name, ends, row, layout, len(names))
            handles += _legend(found, name, ends)
            ax.set_title(f"{name}, step {over.last.step:,}, N = {over.last.N:,}")
        if said := _notes(over, found):
            note_above(fig, said, layout)
        legend_below(fig, handles, layout)
    return fig


def _kept(found: Sequence[Cell]) -> list[Cell]:
    """Those of the first layers, and of the types with most coordinates."""
    layers = list(dict.fromkeys(cell.layer for cell in found))[:ROWS]
    sizes: dict[str, int] = {}
    for cell in found:
        sizes[cell.type] = sizes.get(cell.type, 0) + cell.numel
    types = sorted(sizes, key=lambda name: -sizes[name])[:COLUMNS]
    return [cell for cell in found if cell.layer in layers and cell.type in types]


def _notes(over: GradientsOverTraining, drawn: Sequence[Cell]) -> str:
    said = ["This is a positionwise proxy, not the gradients of single tokens."] if over.last.proxy else []
    hidden = len(cells(over.last)) - len(drawn)
    if hidden:
        said.append(f"{count(hidden)} fields of further layers or smaller types are in gradient-parts.csv alone.")
    return " ".join(said)


def ends_of(found: Sequence[Cell], name: str) -> tuple[float, float]:
    """What the colours of a map run between: the lowest and the highest matrix, if there are any that are known."""
    known = [(cell.kind, getattr(cell, name)) for cell in found if math.isfinite(getattr(cell, name))]
    values = [value for kind, value in known if kind == "matrix"] or [value for _, value in known]
    return min(values), max(values)


def _shade(value: float, ends: tuple[float, float]) -> float:
    low, high = ends
    return STRONG if high == low else FAINT + (STRONG - FAINT) * (min(max(value, low), high) - low) / (high - low)


def _panel(
    ax: Axes, found: Sequence[Cell], name: str, ends: tuple[float, float], row: float, layout: Layout, maps: int
) -> None:
    layers = list(dict.fromkeys(cell.layer for cell in found))
    types = list(dict.fromkeys(cell.type for cell in found))
    across = (WIDTH[layout] / (1 if layout == "narrow" else min(maps, 2)) - 1.4) / len(types)
    places = 3 if ends[1] - ends[0] < CLOSE and across >= 1.3 * PLACES[layout] else 2
    written = across >= PLACES[layout] and row >= 0.12
    for cell in found:
        x, y, value = types.index(cell.type), layers.index(cell.layer), getattr(cell, name)
        if not math.isfinite(value):
            ax.text(x, y, "—", ha="center", va="center", fontsize=6.5, color=MUTED, in_layout=False)
            continue
        colour = LOOKS[name]
        ax.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, color=colour, alpha=_shade(value, ends), linewidth=0))
        if written:
            ax.text(x, y, number(value, places), ha="center", va="center", fontsize=6.5, color=INK, in_layout=False)
    room = 22 if layout == "wide" else 16
    ax.set_xticks(
        range(len(types)),
        [ending(one, LONGEST) for one in types],
        rotation=90 if across < 0.5 else 40,
        ha="right" if across >= 0.5 else "center",
        rotation_mode="anchor" if across >= 0.5 else "default",
    )
    ax.set_yticks(range(len(layers)), [ending(one, room) for one in layers])
    ax.tick_params(length=0, labelsize=min(8.5, 72 * row * 0.9))
    ax.tick_params(axis="x", labelsize=8)
    ax.set_xlim(-0.5, len(types) - 0.5)
    ax.set_ylim(len(layers) - 0.5, -0.5)
    ax.grid(False)
    ax.spines[:].set_visible(False)


def _legend(found: Sequence[Cell], name: str, ends: tuple[float, float]) -> list[Patch]:
    """The ends and the middle of the colours of a map."""
    low, high = ends
    places = 3 if high - low < CLOSE else 2
    shown = [low] if low == high else [low, (low + high) / 2, high]
    labels = [f"{name} = {number(value, places)}" for value in shown]
    values = [getattr(cell, name) for cell in found]
    labels[0] += " or less" if any(value < low for value in values) else ""
    labels[-1] += " or more" if any(value > high for value in values) else ""
    return [
        Patch(facecolor=to_rgba(LOOKS[name], _shade(value, ends)), edgecolor=MUTED, linewidth=0.5, label=label)
        for value, label in zip(shown, labels, strict=True)
    ]


def alt(over: GradientsOverTraining) -> str:
    """What the figure shows, for who cannot see it."""
    known = sorted((cell for cell in cells(over.last) if math.isfinite(cell.D_grad)), key=lambda cell: cell.D_grad)
    if not known:
        return f"C_g of each layer and type of parameter at step {count(over.last.step)}; D_grad is not known."
    least, most = (
        f"{printable(one.layer, 60)} {printable(one.type, 60)} ({number(one.D_grad, 3)})"
        for one in (known[0], known[-1])
    )
    return (
        f"D_grad of {count(len(known))} fields of layer and type of parameter at step {count(over.last.step)}, N = "
        f"{count(over.last.N)} tokens. Least cancels in {least}, most in {most}."
    )


def table(over: GradientsOverTraining) -> pd.DataFrame:
    """One row for each layer and type, also those that are not drawn."""
    return pd.DataFrame([
        {
            "step": over.last.step, "method": printable(over.last.method, 40), "N": over.last.N,
            "layer": printable(cell.layer), "type": printable(cell.type), "D_grad": cell.D_grad, "C_g": cell.C_g,
            "numel": cell.numel, "parameters": cell.n, "D_grad_reason": printable(cell.reason),
        }
        for cell in cells(over.last)
    ])  # fmt: skip
