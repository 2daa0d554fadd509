"""Losses of n-gram models as thin horizontal lines behind a loss curve."""

from collections.abc import Mapping

from matplotlib.axes import Axes

from zerosum.show.drawing.style import MUTED

RUNG = (0, (1, 3))
_CLOSE = 0.07  # of the height of the panel: nearer names would overlap


def rung_lines(ax: Axes, losses: Mapping[str, float]) -> bool:
    """Draw a line for each loss within the axis range, with its name to the right of the panel; whether there is any.

    losses: name of the model -> its loss. Names of lines that nearly coincide stand together. The axis keeps its range.
    """
    low, high = ax.get_ylim()
    inside = {name: loss for name, loss in losses.items() if low < loss < high}
    labels: list[tuple[float, float, list[str]]] = []  # height in the panel, loss, names
    for name, loss in sorted(inside.items(), key=lambda item: item[1]):
        ax.axhline(loss, color=MUTED, linewidth=0.9, linestyle=RUNG, zorder=1.2)
        height = float(ax.transAxes.inverted().transform(ax.transData.transform((1.0, loss)))[1])
        if labels and height - labels[-1][0] < _CLOSE:
            labels[-1][2].append(name)
        else:
            labels.append((height, loss, [name]))
    for _, loss, names in labels:
        text = ax.text(1.01, loss, ", ".join(names), transform=ax.get_yaxis_transform(), va="center")
        text.set(fontsize=7.5, color=MUTED, clip_on=False)
    return bool(inside)
