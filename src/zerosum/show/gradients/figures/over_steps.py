"""What figures over training share: the axis of steps, a series with its intervals, and what cannot be compared."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from zerosum.show.drawing.axes import log_axis, note_above, plain
from zerosum.show.drawing.legend import entry
from zerosum.show.drawing.style import LINES, PAPER, SERIES, Layout
from zerosum.show.gradients.subject import GradientsOverTraining, Line, Number, OneCheckpoint

DECADE = 8.0  # last step over first from which an axis of steps is logarithmic
ONE = "one checkpoint was measured, and this figure is about several"
Look = tuple[str, str]
"""Colour and marker of a quantity."""
BLUE, ORANGE, GREEN, PURPLE = (SERIES[0], "o"), (SERIES[1], "s"), (SERIES[2], "^"), (SERIES[3], "D")


def step_axis(ax: Axes, steps: Sequence[float], name: str = "step t") -> None:
    """Logarithmic where the steps above 0 span about a decade, step 0 in a place of its own; else linear."""
    positive = [step for step in steps if step > 0]
    ax.set_xlabel(name)
    if positive and max(positive) / min(positive) >= DECADE:
        log_axis(ax, "x", steps, pad=1.25)
        return
    ax.margins(x=0.06)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))


def series(
    ax: Axes,
    over: GradientsOverTraining,
    read: Callable[[OneCheckpoint], Number],
    look: Look,
    floor: float = -math.inf,
    **more: Any,
) -> list[float]:
    """Draw one quantity: a line for each set of checkpoints that can be compared. Return what its axis has to reach.

    read: the quantity of a checkpoint; NaN is a gap. floor: intervals are cut there, for logarithmic axes. more: how
    the line looks.
    """
    colour, marker = look
    reached = []
    for k, line in enumerate(over.lines):
        steps = [float(one.step) for one in line.checkpoints]
        numbers = [read(one) for one in line.checkpoints]
        low, high = (np.array([_end(number, which) for number in numbers]) for which in (0, 1))
        low, high = np.maximum(low, floor), np.maximum(high, floor)
        ax.fill_between(steps, low, high, color=colour, alpha=0.2, linewidth=0)
        ax.vlines(steps, low, high, color=colour, alpha=0.5, linewidth=1)
        drawn = {"linestyle": LINES[k % len(LINES)]} | more | ({"markerfacecolor": PAPER} if line.proxy else {})
        values = [number.value for number in numbers]
        ax.plot(steps, values, color=colour, marker=marker, zorder=3, **drawn)
        reached += values
    return [value for value in reached if math.isfinite(value)]


def _end(number: Number, which: int) -> float:
    return number.ends[which] if number.ends else math.nan


def left_of(name: str) -> Callable[[OneCheckpoint], Number]:
    """Reads what does not cancel, 1 - D, of a D; NaN where all cancels, which no logarithmic axis can show."""

    def left(one: OneCheckpoint) -> Number:
        D = one[name]
        ends = (1 - D.ends[1], 1 - D.ends[0]) if D.ends else None
        return Number(1 - D.value if D.value < 1 else math.nan, ends, D.reason)

    return left


def handles(over: GradientsOverTraining) -> list[Line2D]:
    """Legend entries of the lines, where there are several or one is of a proxy."""
    if len(over.lines) == 1 and not over.lines[0].proxy:
        return []
    return [_handle(line, k) for k, line in enumerate(over.lines)]


def _handle(line: Line, k: int) -> Line2D:
    face = {"marker": "o", "markerfacecolor": PAPER} if line.proxy else {}
    return entry(line.label, **({"linestyle": LINES[k % len(LINES)]} | face))


def title_N(over: GradientsOverTraining) -> str:
    """N for a title, where all share it."""
    known = sorted({one.N for one in over.checkpoints})
    return f"N = {known[0]:,}" if len(known) == 1 else f"N = {known[0]:,} to {known[-1]:,}"


def warn(fig: Figure, over: GradientsOverTraining, layout: Layout) -> None:
    """Say above a figure what its lines must not be compared for."""
    said = []
    if len({one.N for one in over.checkpoints}) > 1:
        said.append("N differs between checkpoints, and D of different N cannot be compared: each N has its own line.")
    if any(one.proxy for one in over.checkpoints):
        said.append(
            "Hollow marks: by the positionwise proxy, whose D_grad and C_g are not of single tokens' gradients."
        )
    if said:
        note_above(fig, " ".join(said), layout)
