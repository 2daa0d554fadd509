"""Axes that read the same in every figure: panels, plain numbers on logarithmic scales, notes."""

import math
import textwrap
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from zerosum.estimate import Estimate
from zerosum.show.drawing.style import MUTED, Layout, RunStyle

# Inches. A phone of 360 points shows "narrow" a little larger, one column of a journal a little smaller.
WIDTH = {"wide": 11.0, "narrow": 4.0, "print": 7.0}


def panels(
    count: int, layout: Layout, height: float, columns: int = 3, share: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels, `columns` side by side, one below the other when narrow.

    height: inches of one panel. share: one scale for all panels.
    """
    across = 1 if layout == "narrow" else min(count, columns)
    down = math.ceil(count / across)
    engine = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06)
    fig = Figure(figsize=(WIDTH[layout], down * height + 0.6), layout=engine)
    axes = list(fig.subplots(down, across, squeeze=False, sharex=share, sharey=share).flat)
    for unused in axes[count:]:
        unused.set_visible(False)
    return fig, axes[:count]


def plain(value: float) -> str:
    """A tick label: no powers, no exponents while they can be avoided.

    >>> plain(1000.0), plain(2.5), plain(0.00002), plain(3e-7)
    ('1,000', '2.5', '0.00002', '3e-07')
    """
    if value == 0:
        return "0"
    if abs(value) >= 1:
        return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:.3g}"
    return f"{value:.6f}".rstrip("0") if abs(value) >= 1e-6 else f"{value:.0e}"


def log_ticks(low: float, high: float) -> list[float]:
    """Ticks of a logarithmic axis: decades where there are some, round numbers inside a decade where there are not.

    >>> log_ticks(1.0, 2000.0), log_ticks(1.8, 6.0)
    ([1.0, 10.0, 100.0, 1000.0], [2.0, 3.0, 4.0, 5.0, 6.0])
    """
    decades = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
    if len(decades) > 2:
        every = math.ceil(len(decades) / 7)
        return [10.0**k for k in decades][::every]
    if high / low > 8:
        return [m * 10.0**k for k in range(-9, 12) for m in (1, 2, 5) if low <= m * 10.0**k <= high]
    return [float(tick) for tick in MaxNLocator(7, steps=[1, 2, 5, 10]).tick_values(low, high) if low <= tick <= high]


def log_axis(
    axes: Axes,
    which: str,
    values: Sequence[float | int],
    pad: float = 1.05,
    most: int = 20,
    write: Callable[[float], str] = plain,
) -> None:
    """Make an axis logarithmic, reaching `pad` beyond the values, with at most so many ticks, each written by `write`.

    Step 0 has no logarithm and gets its own place.
    """
    finite = [value for value in values if math.isfinite(value) and value >= 0]
    positive = [value for value in finite if value > 0]
    if not positive:
        return
    low, high = min(positive), max(positive)
    ticks = log_ticks(low / pad, high * pad)
    ticks = ticks[:: math.ceil(len(ticks) / most) or 1]
    axis = axes.xaxis if which == "x" else axes.yaxis
    if which == "x" and 0 in finite:
        axes.set_xscale("symlog", linthresh=1, linscale=0.4)
        axes.set_xlim(-0.15, high * pad)
        ticks = [0.0, *ticks]
    else:
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
        (axes.set_xlim if which == "x" else axes.set_ylim)(low / pad, high * pad)
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: write(value)))


def with_band(ax: Axes, steps: Sequence[float | int], estimates: Sequence[Estimate], look: RunStyle) -> None:
    """A curve of estimates, with a band of their intervals where there are any."""
    ends = [estimate.interval or (math.nan, math.nan) for estimate in estimates]
    if any(estimate.interval for estimate in estimates):
        low, high = zip(*ends, strict=True)
        ax.fill_between(steps, low, high, color=look.colour, alpha=0.2 * look.strength, linewidth=0)
    values = [estimate.value for estimate in estimates]
    ax.plot(steps, values, color=look.colour, marker=look.marker, linestyle=look.line, alpha=look.strength, zorder=3)


def note_above(fig: Figure, text: str, layout: Layout) -> None:
    """A sentence the reader must see together with the figure."""
    wrapped = textwrap.fill(text, {"wide": 160, "narrow": 54, "print": 100}[layout])
    fig.suptitle(wrapped, x=0.01, ha="left", fontsize=8.5, color=MUTED)


def say_empty(axes: Axes, why: str) -> None:
    """An empty panel says why it is empty."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, textwrap.fill(why, 40), ha="center", va="center", transform=axes.transAxes, color=MUTED)


def log_thinned(n: int, keep: int = 260) -> np.ndarray:
    """Indices of about `keep` of n points, evenly spread on a logarithmic axis, first and last included."""
    if n <= keep:
        return np.arange(n)
    return np.unique(np.round(np.geomspace(1, n, keep)).astype(int) - 1)
