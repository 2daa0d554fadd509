"""What figures of per-token gradients over training share: the axis of steps, a series with its intervals, warnings."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from zerosum.estimate import Estimate
from zerosum.gradients import GradientInterference, GradientsOverTraining
from zerosum.show import drawing as d
from zerosum.show.names import printable
from zerosum.show.table import with_ends

DECADE = 8.0  # last step over first from which an axis of steps is logarithmic
Look = tuple[int, str]
"""Number of the series' colour, and marker."""
BLUE, ORANGE, GREEN, PURPLE = (0, "o"), (1, "s"), (2, "^"), (3, "D")


def step_axis(ax: "d.Axes", steps: Sequence[float], name: str = "step t") -> None:
    """Logarithmic where the steps above 0 span about a decade, step 0 in a place of its own; else linear."""
    positive = [step for step in steps if step > 0]
    ax.set_xlabel(name)
    if positive and max(positive) / min(positive) >= DECADE:
        d.log_axis(ax, "x", steps, pad=1.25)
        return
    ax.margins(x=0.06)
    ax.xaxis.set_major_locator(d.MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(d.FuncFormatter(lambda value, _: d.plain(value)))


def series(
    ax: "d.Axes",
    over: GradientsOverTraining,
    read: Callable[[GradientInterference], Estimate],
    look: Look,
    floor: float = -math.inf,
    **more: Any,
) -> list[float]:
    """Draw one quantity: a line for each set of comparable checkpoints. Return what its axis has to reach.

    read: the quantity of a checkpoint; NaN is a gap. floor: intervals are cut there, for logarithmic axes. more: how
    the line looks.
    """
    colour, marker = d.SERIES[look[0]], look[1]
    reached: list[float] = []
    for k, several in enumerate(over.comparable):
        steps = steps_of(several.checkpoints)
        numbers = [read(checkpoint) for checkpoint in several.checkpoints]
        ends = [number.interval or (math.nan, math.nan) for number in numbers]
        low, high = ([end if math.isnan(end) else max(end, floor) for end in side] for side in zip(*ends, strict=True))
        ax.fill_between(steps, low, high, color=colour, alpha=0.2, linewidth=0)
        ax.vlines(steps, low, high, color=colour, alpha=0.5, linewidth=1)
        hollow = {"markerfacecolor": d.PAPER} if several.is_proxy else {}
        values = [number.value for number in numbers]
        style = {"linestyle": d.LINES[k % len(d.LINES)]} | more | hollow
        ax.plot(steps, values, color=colour, marker=marker, zorder=3, **style)
        reached += values
    return [value for value in reached if math.isfinite(value)]


def steps_of(checkpoints: Sequence[GradientInterference]) -> list[float]:
    """Where checkpoints stand on an axis of steps."""
    return [float(checkpoint.step or 0) for checkpoint in checkpoints]


def reading(name: str) -> Callable[[GradientInterference], Estimate]:
    """Reads one number of a checkpoint."""
    return lambda checkpoint: checkpoint.estimate(name)


def remainder(name: str) -> Callable[[GradientInterference], Estimate]:
    """Reads what does not cancel, 1 - D, of a D; NaN where all cancels, which no logarithmic axis can show."""

    def left(checkpoint: GradientInterference) -> Estimate:
        D = checkpoint.estimate(name)
        ends = (1 - D.interval[1], 1 - D.interval[0]) if D.interval else None
        return Estimate(1 - D.value if D.value < 1 else math.nan, ends, D.reason, D.N, D.of)

    return left


def handles(over: GradientsOverTraining) -> "list[d.Line2D]":
    """Legend entries of the sets of comparable checkpoints, where there are several or one is of a proxy."""
    if len(over.comparable) == 1 and not over.comparable[0].is_proxy:
        return []
    entries = []
    for k, several in enumerate(over.comparable):
        hollow: dict[str, Any] = {"marker": "o", "markerfacecolor": d.PAPER} if several.is_proxy else {}
        entries.append(d.entry(several.label, **({"linestyle": d.LINES[k % len(d.LINES)]} | hollow)))
    return entries


def entry(label: str, look: Look, **more: Any) -> "d.Line2D":
    """Legend entry of a series. more: how its line differs."""
    colour, marker = look
    return d.entry(label, color=d.SERIES[colour], marker=marker, linestyle="-", **more)


def title_N(over: GradientsOverTraining) -> str:
    """N for a title, where all checkpoints share it, else its range."""
    least, most = (end(checkpoint.N for checkpoint in over.checkpoints) for end in (min, max))
    return f"N = {least:,}" if least == most else f"N = {least:,} to {most:,}"


def warn(fig: "d.Figure", over: GradientsOverTraining, layout: "d.Layout") -> None:
    """Say above a figure what its lines must not be compared for."""
    warnings = []
    if len({checkpoint.N for checkpoint in over.checkpoints}) > 1:
        warnings.append(
            "N differs between checkpoints, and D of different N cannot be compared: each N has its own line."
        )
    if any(checkpoint.is_proxy for checkpoint in over.checkpoints):
        warnings.append(
            "Hollow marks: by the positionwise proxy, whose D_grad and C_g are not of single tokens' gradients."
        )
    if warnings:
        d.note_above(fig, " ".join(warnings), layout)


def row(checkpoint: GradientInterference, names: Sequence[str]) -> dict[str, Any]:
    """One checkpoint as a row of a figure's numbers: how it was measured, and estimates with their ends."""
    cells: dict[str, Any] = {
        "step": checkpoint.step,
        "method": printable(checkpoint.method, 40),
        "N": checkpoint.N,
        "n_sampled": checkpoint.n_sampled,
    }
    for name in names:
        cells |= with_ends(name, checkpoint.estimate(name))
    return cells
