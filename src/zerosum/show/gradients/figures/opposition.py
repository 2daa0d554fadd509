"""D_grad against step: how much of the gradient cancels between tokens, and how much is left."""

import math
from operator import itemgetter

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from zerosum.show.drawing.axes import log_axis, panels
from zerosum.show.drawing.legend import entry, legend_below
from zerosum.show.drawing.style import MUTED, Layout, style
from zerosum.show.gradients.figures.over_steps import (
    BLUE,
    ONE,
    ORANGE,
    handles,
    left_of,
    series,
    step_axis,
    title_N,
    warn,
)
from zerosum.show.gradients.subject import GradientsOverTraining
from zerosum.show.gradients.tables import numbers_of
from zerosum.show.gradients.words import opposed_over_time

TITLE = "How far the gradients of single tokens oppose each other"
HOW_TO_READ = (
    "Each token's loss asks every parameter to move one way or the other. D_grad is the share of these wishes that "
    "cancels when they are added up, D = 1 − |Σ g| / Σ |g| in each coordinate, mean over the coordinates of "
    "matrices, norms and biases: 0 when all tokens want the same, 1 when nothing is left. D_grad_matrices is the "
    "mean over matrices alone. Embedding and head are left out of both. On the right is what is left, 1 − D, on a "
    "logarithmic axis: there D near 1 can be told apart. Bands are 95 % intervals for the draw of the sample, where "
    "one was drawn; without a band all N tokens were used, and another draw of texts would differ. The dotted line "
    "is where D would be about if N gradients of one size had random signs; gradients of different sizes would "
    "cancel less. D of different N cannot be compared."
)
LOOKS = {"D_grad": BLUE, "D_grad_matrices": ORANGE}
SIZES: dict[str, dict[str, float]] = {"D_grad": {}, "D_grad_matrices": {"linewidth": 1, "markersize": 3}}
"""Both are seen where one covers the other."""
CHANCE = (0, (1, 1.5))


def absent(over: GradientsOverTraining) -> str:
    """Why there is no such figure; nothing where there is one."""
    if len(over.checkpoints) < 2:
        return ONE
    known = any(math.isfinite(one[name].value) for one in over.checkpoints for name in LOOKS)
    return "" if known else over.last["D_grad"].reason


def plot(over: GradientsOverTraining, layout: Layout = "wide") -> Figure:
    """D, and 1 - D on a logarithmic axis."""
    with style():
        fig, (whole, rest) = panels(2, layout, height=3.0, columns=2)
        steps = [float(one.step) for one in over.checkpoints]
        chances = [chance(line.N) for line in over.lines]
        reached = [1 - one for one in chances]
        for name, look in LOOKS.items():
            series(whole, over, itemgetter(name), look, **SIZES[name])
            reached += series(rest, over, left_of(name), look, floor=1e-9, **SIZES[name])
        for one in chances:
            whole.axhline(one, color=MUTED, linestyle=CHANCE, linewidth=1, zorder=1)
            rest.axhline(1 - one, color=MUTED, linestyle=CHANCE, linewidth=1, zorder=1)
        whole.set_title(f"what cancels ({title_N(over)})")
        rest.set_title("what is left")
        whole.set_ylabel("D")
        rest.set_ylabel("1 − D")
        whole.set_ylim(-0.02, 1.04)
        log_axis(rest, "y", reached, pad=1.3)
        for ax in (whole, rest):
            step_axis(ax, steps)
        warn(fig, over, layout)
        by_chance = entry("random signs, equal sizes", color=MUTED, linestyle=CHANCE, linewidth=1)
        legend_below(fig, [*_names(), by_chance, *handles(over)], layout)
    return fig


def _names() -> list[Line2D]:
    return [
        entry(name, color=colour, marker=marker, linestyle="-", **SIZES[name])
        for name, (colour, marker) in LOOKS.items()
    ]


def chance(N: int) -> float:
    """D of N terms of one size with random signs, sqrt(2 / (pi N)) short of 1 where N is large; 0 for one term.

    >>> round(chance(512), 4), chance(1)
    (0.9647, 0.0)
    """
    return max(0.0, 1 - math.sqrt(2 / (math.pi * N))) if N > 1 else 0.0


def alt(over: GradientsOverTraining) -> str:
    """What the figure shows, for who cannot see it."""
    return f"D_grad and D_grad_matrices, and 1 − D of both, against step. {opposed_over_time(over)}"


def table(over: GradientsOverTraining) -> pd.DataFrame:
    """One row for each checkpoint, with intervals."""
    return pd.DataFrame([
        numbers_of(one, (*LOOKS, "loss")) | {"D_random_signs_equal_sizes": chance(one.N)} for one in over.checkpoints
    ])  # fmt: skip
