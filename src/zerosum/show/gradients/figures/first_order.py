"""First-order against real loss changes of single tokens: a two-dimensional histogram of up to three checkpoints."""

import math
from itertools import pairwise

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from zerosum.show.drawing.axes import panels, plain
from zerosum.show.drawing.legend import entry, legend_below
from zerosum.show.drawing.style import INK, MUTED, SERIES, Layout, style
from zerosum.show.gradients.prediction import Bins, Prediction, binned, prediction
from zerosum.show.gradients.subject import GradientsOverTraining, OneCheckpoint
from zerosum.show.gradients.words import fit
from zerosum.show.numbers import Form, count, text

TITLE = "Do first-order changes predict the real ones?"
HOW_TO_READ = (
    "Each token's loss changes with the update u. Across: the change to first order, Σ g u, what it would be if the "
    "loss were linear in the parameters. Up: the real change. Both are nats, negative is better. The colour says how "
    "many tokens lie in a field, on a logarithmic scale; every token is in one. On the diagonal both are equal. The "
    "solid line is the best straight line through the tokens (least squares; it bends where the axes do); a slope "
    "below 1 says that real changes are smaller than predicted. “Explained” is the share of the variance of the real "
    "changes that the first-order ones explain as they stand, without any fit; it is negative where the mean of the "
    "real changes would have been the better prediction. Where the largest changes are far beyond most, the axes are "
    "linear around 0 and logarithmic further out. Brackets are 95 % intervals over texts (documents or sequences). "
    "Explaining is meant in the sense of regression: nothing is said about causes. Of more than three checkpoints the "
    "first, the middle and the last are shown; the table has all."
)
MOST = 3  # panels
BINS = {"wide": 48, "narrow": 40, "print": 40}
SHADES = (0.18, 0.32, 0.47, 0.62, 0.78, 0.95)  # of counts, each shade about three times the one before
_LEVELS = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
_SHARE = Form("", "", most=5)


def absent(over: GradientsOverTraining) -> str:
    """Why there is no such figure; nothing where there is one."""
    if shown(over):
        return ""
    known = over.last["D_first_order"]
    return "changes of single tokens were not kept" if math.isfinite(known.value) else known.reason


def shown(over: GradientsOverTraining) -> list[OneCheckpoint]:
    """The first, the middle and the last checkpoint whose changes are known."""
    known = [one for one in over.checkpoints if one.changes is not None]
    places = sorted({0, len(known) // 2, len(known) - 1}) if known else []
    return [known[k] for k in places]


def plot(over: GradientsOverTraining, layout: Layout = "wide") -> Figure:
    """One panel for each checkpoint shown."""
    with style():
        drawn = [(one, binned(one.changes, BINS[layout])) for one in shown(over) if one.changes is not None]
        fig, axes = panels(len(drawn), layout, height=4.2, columns=2 if layout == "print" else MOST)
        starts = levels(max(int(bins.count.max()) for _, bins in drawn))
        for ax, (one, bins) in zip(axes, drawn, strict=True):
            _panel(ax, one, bins, starts)
        axes[0].set_ylabel("real change (nats)")
        ends = [
            f"{count(start)}" if stop == start + 1 else f"{count(start)} to {count(stop - 1)}"
            for start, stop in pairwise(starts)
        ]
        names = [*ends, f"{count(starts[-1])} or more"]
        fields = [
            Patch(
                facecolor=to_rgba(SERIES[0], shade),
                edgecolor=MUTED,
                linewidth=0.5,
                label=f"{name} tokens" if k == 0 else name,
            )
            for k, (name, shade) in enumerate(zip(names, SHADES, strict=False))
        ]
        lines = [entry("real = first order", color=MUTED, linestyle="--", linewidth=1), entry("best line", linewidth=1)]
        legend_below(fig, [*fields, *lines], layout)
    return fig


def levels(most: int) -> list[int]:
    """From how many tokens on each shade stands, so that the darkest is reached.

    >>> levels(40), levels(2), levels(5000)
    ([1, 3, 10, 30], [1], [1, 30, 100, 300, 1000, 3000])
    """
    needed = [one for one in _LEVELS if one <= most]
    return [1, *needed[1:][-(len(SHADES) - 1) :]]


def _panel(ax: Axes, one: OneCheckpoint, bins: Bins, starts: list[int]) -> None:
    assert one.changes is not None  # noqa: S101 - only such are shown
    found = prediction(one.changes)
    _scales(ax, bins)
    shade = np.digitize(bins.count, starts)
    for k in range(len(starts)):
        if (shade == k + 1).any():
            fields = _fields(bins.edges, shade == k + 1)
            ax.add_patch(PathPatch(fields, facecolor=SERIES[0], alpha=SHADES[k], linewidth=0, antialiased=False))
    end = bins.edges[-1]
    along = bins.edges if bins.width else np.array([-end, end])
    ax.plot([-end, end], [-end, end], color=MUTED, linestyle="--", linewidth=1, zorder=3)
    if math.isfinite(found.slope.value):
        line = one.changes.loss_change.mean() + found.slope.value * (along - one.changes.first_order.mean())
        ax.plot(along, line, color=INK, linewidth=1, zorder=3)
    ax.set_title(f"step {one.step:,} (N = {found.N:,} tokens)\n{said(found)}", fontsize=8.5, linespacing=1.45)
    ax.set_xlabel("first-order change (nats)")
    ax.set_box_aspect(1)


def said(found: Prediction) -> str:
    """The numbers above a panel."""
    rows = (("correlation", found.correlation), ("slope", found.slope), ("explained", found.explained))
    return "\n".join(f"{name} {text(one.value, one.ends, _SHARE)}" for name, one in rows)


def _scales(ax: Axes, bins: Bins) -> None:
    end = float(bins.edges[-1])
    for axis, scale, limit in ((ax.xaxis, ax.set_xscale, ax.set_xlim), (ax.yaxis, ax.set_yscale, ax.set_ylim)):
        if bins.width:
            scale("asinh", linear_width=bins.width)
            axis.set_major_locator(FixedLocator(ticks(bins.width, end)))
        else:
            axis.set_major_locator(MaxNLocator(5, symmetric=True, steps=[1, 2, 5, 10]))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: plain(float(value)).replace("-", "−", 1)))
        limit(-end, end)


def ticks(width: float, end: float) -> list[float]:
    """Ticks of an axis that is linear around 0: 0 and powers of ten well beyond the linear part, at most three a side.

    >>> ticks(0.003, 2.0)
    [-1.0, -0.1, -0.01, 0.0, 0.01, 0.1, 1.0]
    """
    first, last = math.ceil(math.log10(3 * width)), math.floor(math.log10(end))
    powers = [10.0**k for k in range(last, first - 1, -max(1, math.ceil((last - first + 1) / 3)))][::-1]
    return [*(-one for one in reversed(powers)), 0.0, *powers]


def _fields(edges: Float[np.ndarray, " n"], on: np.ndarray) -> Path:
    """The fields that are on as one path, those in a row joined."""
    boxes = []
    for k, column in enumerate(on):
        ends = np.flatnonzero(np.diff(np.concatenate([[0], column, [0]])))
        for low, high in ends.reshape(-1, 2):
            x0, x1, y0, y1 = edges[k], edges[k + 1], edges[low], edges[high]
            boxes.append(Path([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)], closed=True))
    return Path.make_compound_path(*boxes)


def alt(over: GradientsOverTraining) -> str:
    """What the figure shows, for who cannot see it."""
    fits = [f"Step {count(one.step)}: {fit(prediction(one.changes))}" for one in shown(over) if one.changes is not None]
    return f"Histogram of first-order against real loss changes of single tokens. {' '.join(fits)}"


def table(over: GradientsOverTraining) -> pd.DataFrame:
    """The fields of the wide figure that hold a token. Edges in nats."""
    frames = []
    for one in shown(over):
        bins = binned(one.changes, BINS["wide"]) if one.changes is not None else None
        if bins is None:
            continue
        x, y = np.nonzero(bins.count)
        low, high = bins.edges[:-1], bins.edges[1:]
        columns = {"first_order_low": low[x], "first_order_high": high[x], "loss_change_low": low[y]}
        columns |= {"loss_change_high": high[y], "tokens": bins.count[x, y]}
        frames.append(pd.DataFrame({"step": one.step, **columns}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
