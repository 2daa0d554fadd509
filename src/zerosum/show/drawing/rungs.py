"""Losses of n-gram models of the training text as thin horizontal lines behind losses of a run."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from zerosum.show.drawing.legend import entry
from zerosum.show.drawing.style import MUTED
from zerosum.tokens.ngrams import NgramLadder

_LOOK: dict[str, Any] = {"color": MUTED, "linewidth": 0.9, "linestyle": (0, (1, 3))}
_CLOSE = 0.07  # of the height of the panel: nearer names would overlap


def rung_lines(ax: Axes, ladder: NgramLadder | None) -> list[Line2D]:
    """Draw a line for each loss within the axis range, its name to the right of the panel; the legend entry, if any.

    The axis keeps its range, which the caller sets first. Names of lines that nearly coincide stand together.
    """
    low, high = ax.get_ylim()
    inside = [rung for rung in ladder.rungs if low < rung.loss.value < high] if ladder else []
    names: list[tuple[float, float, list[str]]] = []  # height in the panel, loss, models
    for rung in sorted(inside, key=lambda rung: rung.loss.value):
        loss = rung.loss.value
        ax.axhline(loss, zorder=1.2, **_LOOK)
        height = float(ax.transAxes.inverted().transform(ax.transData.transform((1.0, loss)))[1])
        if names and height - names[-1][0] < _CLOSE:
            names[-1][2].append(rung.model)
        else:
            names.append((height, loss, [rung.model]))
    for _, loss, models in names:
        text = ax.text(1.01, loss, ", ".join(models), transform=ax.get_yaxis_transform(), va="center")
        text.set(fontsize=7.5, color=MUTED, clip_on=False)
    return [entry("held-out loss of an n-gram model of the text", **_LOOK)] if inside else []
