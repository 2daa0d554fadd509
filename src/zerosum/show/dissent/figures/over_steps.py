"""Dissent against step, with the loss that it comes with beside it."""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from zerosum.show.dissent.subject import PLACES, DissentOverTraining, Value
from zerosum.show.drawing.axes import log_axis, panels
from zerosum.show.drawing.legend import entry, legend_below
from zerosum.show.drawing.style import INK, MUTED, PAPER, SERIES, Layout, Line, style
from zerosum.show.numbers import count

TITLE = "Dissent over training"
HOW_TO_READ = (
    "Left: −cos of attraction towards the labels and repulsion from all other tokens. At 1, total dissent, neither can "
    "improve the loss without the other undoing it; at 0 they have nothing to do with each other, below 0 they help "
    "each other. Tokens: each at its own last hidden state, mean with its 95 % interval. Head rows: of each label's "
    "row, all tokens together. Head and body: all tokens together and all their coordinates as one vector; this is 1 "
    "wherever the mean loss of these tokens is stationary, whatever the model (unless embedding and head are one "
    "matrix), so read it beside the loss on the right. Open marks: where head or body first got to the levels of the "
    "dotted lines, between two checkpoints."
)
LOOKS: dict[str, tuple[str, str, Line]] = {
    "token": (SERIES[0], "o", "-"),
    "rows": (SERIES[5], "s", (0.0, (4.0, 1.5, 1.0, 1.5))),
    "head": (SERIES[4], "^", (0.0, (5.0, 1.5))),
    "body": (SERIES[1], "D", "-"),
}
DOTTED = (0, (1, 1.5))


def plot(over: DissentOverTraining, layout: Layout = "wide") -> Figure:
    """Dissent in one panel, mean loss in the other."""
    with style():
        fig, (dissent, loss) = panels(2, layout, height=3.4, columns=2)
        drawn = [place for place in PLACES if any(math.isfinite(one.value) for one in over.over_steps(place))]
        for place in drawn:
            _series(dissent, over.steps, over.over_steps(place), LOOKS[place])
        _series(loss, over.steps, over.losses(), (INK, "o", "-"))
        _levels(over, dissent, loss)
        for ax, label in ((dissent, "dissent, −cos"), (loss, "nats per token")):
            log_axis(ax, "x", over.steps, pad=1.3, most=12)
            ax.set_xlabel("step")
            ax.set_ylabel(label)
        dissent.set_title("Attraction against repulsion")
        loss.set_title(f"Mean loss of the same {count(over.last['N'])} tokens")
        legend_below(fig, _handles(drawn, over), layout)
    return fig


def _series(ax: Axes, steps: list[float], found: list[Value], look: tuple[str, str, Line]) -> None:
    colour, marker, line = look
    ends = [one.ends or (math.nan, math.nan) for one in found]
    if any(one.ends for one in found):
        low, high = [end[0] for end in ends], [end[1] for end in ends]
        ax.fill_between(steps, low, high, color=colour, alpha=0.2, linewidth=0)
    ax.plot(steps, [one.value for one in found], color=colour, marker=marker, linestyle=line, zorder=3)


def _levels(over: DissentOverTraining, dissent: Axes, loss: Axes) -> None:
    """Lines at the levels and at total dissent, and marks where head and body first got there."""
    dissent.axhline(1, color=MUTED, linewidth=0.8, zorder=1)
    for one in over.reached:
        dissent.axhline(one.level, color=MUTED, linewidth=0.8, linestyle=DOTTED, zorder=1)
        if one.known:
            colour, marker, _ = LOOKS[one.place]
            for ax, height in ((dissent, one.level), (loss, one.found["loss"])):
                ax.plot(one.found["step"], height, marker, color=PAPER, markeredgecolor=colour, markersize=7, zorder=5)


def _handles(drawn: list[str], over: DissentOverTraining) -> list[Line2D]:
    found = []
    for place in drawn:
        colour, marker, line = LOOKS[place]
        found.append(entry(PLACES[place], color=colour, marker=marker, linestyle=line))
    if levels := sorted({one.level for one in over.reached if one.known}):
        words = " or ".join(f"{level:g}" for level in levels)
        found.append(entry(f"first at {words}", marker="o", color=PAPER, markeredgecolor=INK, markersize=7))
    return found


def alt(over: DissentOverTraining) -> str:
    """What the figure shows, for who cannot see it."""
    first, last = count(over.steps[0]), count(over.steps[-1])
    said = []
    for place, name in PLACES.items():
        values = over.over_steps(place)
        said.append(f"{name}: {values[0].value:.3f} to {values[-1].value:.3f}")
    losses = over.losses()
    return (
        f"Dissent and mean loss against step, from step {first} to {last}. {'; '.join(said)}; mean loss: "
        f"{losses[0].value:.3f} to {losses[-1].value:.3f} nats per token."
    )


def table(over: DissentOverTraining) -> pd.DataFrame:
    """One row for each checkpoint."""
    rows = []
    for k, step in enumerate(over.steps):
        row = {"step": step, "N": over.documents[k]["N"], **_columns("loss", over.losses()[k])}
        for place in PLACES:
            row |= _columns(place, over.over_steps(place)[k])
        rows.append(row)
    return pd.DataFrame(rows)


def _columns(name: str, one: Value) -> dict[str, float | None]:
    low, high = one.ends or (None, None)
    return {name: one.value, f"{name}_low": low, f"{name}_high": high}
