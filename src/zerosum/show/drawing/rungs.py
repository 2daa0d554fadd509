"""Losses of n-gram models of the training text as thin lines behind losses of a run."""

from collections.abc import Mapping
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from zerosum.show.drawing.legend import entry
from zerosum.show.drawing.style import MUTED

_LOOK: dict[str, Any] = {"color": MUTED, "linewidth": 0.9, "linestyle": (0, (1, 3))}
_CLOSE = 0.07  # of the height of the panel: nearer names would overlap


def rung_lines(ax: Axes, losses: Mapping[str, float], axis: Literal["x", "y"] = "y") -> list[Line2D]:
    """Draw a line for each loss within the axis range, its name at the edge of the panel; the legend entry, if any.

    losses: by model. axis: the one of the losses, which keeps its range: the caller sets that first. Names of lines
    that nearly coincide stand together: to the right, or along an upright line.
    """
    low, high = sorted(ax.get_ylim() if axis == "y" else ax.get_xlim())
    inside = sorted((loss, model) for model, loss in losses.items() if low < loss < high)
    names: list[tuple[float, float, list[str]]] = []  # place in the panel, loss, models
    for loss, model in inside:
        (ax.axhline if axis == "y" else ax.axvline)(loss, zorder=1.2, **_LOOK)
        places = ax.transAxes.inverted().transform(ax.transData.transform((loss, loss)))
        place = float(places[1 if axis == "y" else 0])
        if names and abs(place - names[-1][0]) < _CLOSE:
            names[-1][2].append(model)
        else:
            names.append((place, loss, [model]))
    for _, loss, models in names:
        _name(ax, loss, ", ".join(models), axis)
    return [entry("held-out loss of an n-gram model of the text", **_LOOK)] if inside else []


def _name(ax: Axes, loss: float, models: str, axis: Literal["x", "y"]) -> None:
    if axis == "y":
        text = ax.text(1.01, loss, models, transform=ax.get_yaxis_transform(), va="center")
    else:
        text = ax.text(loss, 0.98, models, transform=ax.get_xaxis_transform(), rotation=90, va="top", ha="right")
    text.set(fontsize=7.5, color=MUTED, clip_on=False)
