"""D_grad against step: how much of the gradient cancels between tokens, and how much is left."""

import math
from collections.abc import Iterator
from typing import Any

from zerosum.estimate import Estimate
from zerosum.gradients import GradientsOverTraining
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.report import Report
from zerosum.show.section import with_sentences
from zerosum.show.sections import _gradient_axes as axes
from zerosum.show.sections import _gradient_words as words

TITLE = "How far the gradients of single tokens oppose each other"
PLACE = 51
OF_ONE_RUN = GradientsOverTraining
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
LOOKS = {"D_grad": axes.BLUE, "D_grad_matrices": axes.ORANGE}
SIZES: dict[str, dict[str, float]] = {"D_grad": {}, "D_grad_matrices": {"linewidth": 1, "markersize": 3}}
"""Both are seen where one covers the other."""
CHANCE = (0, (1, 1.5))


def absent(report: Report) -> str | None:
    """Where one checkpoint was measured, or D_grad of none is known."""
    over = report.only(GradientsOverTraining)
    if over is None:
        return ""
    if len(over.checkpoints) < 2:
        return words.ONE
    known = any(checkpoint.estimate(name).known for checkpoint in over.checkpoints for name in LOOKS)
    return None if known else over.last.estimate("D_grad").reason


def sentences(report: Report) -> Iterator[str]:
    """How D_grad changed."""
    if text := change_in_D(words.measured(report)):
        yield text


answer = sentences


def change_in_D(over: GradientsOverTraining) -> str:
    """How D_grad changed from the first checkpoint to the last of the main set."""
    known = [
        (checkpoint.step or 0, number)
        for checkpoint in over.main.checkpoints
        if (number := checkpoint.estimate("D_grad")).known
    ]
    if len(known) < 2:
        return ""
    (first, before), (last, after) = known[0], known[-1]
    what = "D_grad of the positionwise proxy" if over.main.is_proxy else "D_grad"
    top, largest = max(known, key=lambda pair: pair[1].value)
    peak = f" It was largest at step {n.count(top)}, {words.with_interval(largest)}." if first < top < last else ""
    return f"From step {n.count(first)} to {n.count(last)} {what} {_changed(before, after)}.{peak}"


def _changed(before: Estimate, after: Estimate) -> str:
    """How a number changed: it rose or fell only where that is to be seen, and intervals do not overlap."""
    first, last = words.with_interval(before), words.with_interval(after)
    if first == last:
        return f"stayed at {first}"
    a, b = before.interval, after.interval
    if a and b and a[0] <= b[1] and b[0] <= a[1]:
        return f"was {first} and {last}: the intervals overlap, so no change is claimed"
    return f"{'rose' if after.value > before.value else 'fell'} from {first} to {last}"


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """D, and 1 - D on a logarithmic axis."""
    over = words.measured(report)
    with d.style():
        fig, (whole, rest) = d.panels(2, layout, height=3.0, columns=2)
        chances = [chance(several.N) for several in over.comparable]
        reached = [1 - value for value in chances]
        for name, look in LOOKS.items():
            axes.series(whole, over, axes.reading(name), look, **SIZES[name])
            reached += axes.series(rest, over, axes.remainder(name), look, floor=1e-9, **SIZES[name])
        for value in chances:
            whole.axhline(value, color=d.MUTED, linestyle=CHANCE, linewidth=1, zorder=1)
            rest.axhline(1 - value, color=d.MUTED, linestyle=CHANCE, linewidth=1, zorder=1)
        whole.set_title(f"what cancels ({axes.title_N(over)})")
        rest.set_title("what is left")
        whole.set_ylabel("D")
        rest.set_ylabel("1 − D")
        whole.set_ylim(-0.02, 1.04)
        d.log_axis(rest, "y", reached, pad=1.3)
        for ax in (whole, rest):
            axes.step_axis(ax, axes.steps_of(over.checkpoints))
        axes.warn(fig, over, layout)
        entries = [axes.entry(name, look, **SIZES[name]) for name, look in LOOKS.items()]
        entries.append(d.entry("random signs, equal sizes", color=d.MUTED, linestyle=CHANCE, linewidth=1))
        d.legend_below(fig, [*entries, *axes.handles(over)], layout)
    return fig


def chance(N: int) -> float:
    """D of N terms of one size with random signs, sqrt(2 / (pi N)) short of 1 where N is large; 0 for one term.

    >>> round(chance(512), 4), chance(1)
    (0.9647, 0.0)
    """
    return max(0.0, 1 - math.sqrt(2 / (math.pi * N))) if N > 1 else 0.0


alt = with_sentences(
    "D_grad and D_grad_matrices, and 1 − D of both, against step, beside D of random signs of equal sizes.", sentences
)


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each checkpoint, with intervals."""
    return [
        axes.row(checkpoint, (*LOOKS, "loss")) | {"D_random_signs_equal_sizes": chance(checkpoint.N)}
        for checkpoint in words.measured(report).checkpoints
    ]
