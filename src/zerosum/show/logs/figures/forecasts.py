"""Where each curve goes: its end, three forecasts with intervals, and what the same methods said earlier."""

import math
from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zerosum.curves import LossCurve
from zerosum.deceleration import Analysis
from zerosum.show.drawing.axes import log_axis, log_thinned, say_empty
from zerosum.show.drawing.legend import entry, legend_below
from zerosum.show.drawing.multiples import multiples, name_axes, shown, ticks, titles
from zerosum.show.drawing.style import MUTED, PAPER, SERIES, Layout, style
from zerosum.show.logs.subject import Logs
from zerosum.show.logs.words import METHODS
from zerosum.show.names import printable
from zerosum.show.numbers import LOSS, count, text

TITLE = "Where the loss goes"
HOW_TO_READ = (
    "Dots are the end of each curve. Full marks are forecasts for later steps, with intervals that hold if the law "
    "goes on to hold: the same run, the same data and rate. Hollow marks are the test on the curve itself: what the "
    "same method, fitted to the steps up to there, would have said about the loss at the last fitted step. The dashed "
    "line is the loss that was reached there: hollow marks below it were too optimistic, as those of the one-break "
    "law mostly are. A mark that is missing was not possible; its reason is in the table. Intervals that leave a panel "
    "go on outside of it."
)
LOOKS = {
    "one-break": ("D", SERIES[0], -1),
    "power-law": ("v", SERIES[3], -1),
    "floor-last-decade": ("s", SERIES[1], 1),
    "stays": ("o", SERIES[2], 0),
}
BESIDE = 1.025  # factor in steps between marks of one step


def plot(logs: Logs, layout: Layout = "wide") -> Figure:
    """One panel for each curve that has forecasts."""
    with style():
        drawn = list(_drawn(logs))
        fig, axes = multiples(len([one for one in logs.analyses if one.forecasts]), layout, height=2.9, share=False)
        for ax, (_, one), head in zip(axes, drawn, titles([name for name, _ in drawn], layout), strict=True):
            ax.set_title(head)
            _panel(ax, one, ticks(len(drawn)))
        name_axes(axes, layout, "step t", "loss (nats per token)")
        used = {said.method for _, one in drawn for said in (*one.forecasts, *(row.forecast for row in one.backtest))}
        looks = [(method, mark, colour) for method, (mark, colour, _) in LOOKS.items() if method in used]
        handles = [entry(METHODS[method], marker=mark, color=colour) for method, mark, colour in looks]
        hollow = entry("the same, said earlier of the last fitted step", marker="D", markerfacecolor="none")
        reached = entry("loss reached at the last fitted step", color=MUTED, linestyle="--", linewidth=1)
        legend_below(fig, [*handles, hollow, reached], layout)
    return fig


def _drawn(logs: Logs) -> Iterator[tuple[str, Analysis]]:
    yield from shown([(name, one) for name, one in logs.named if one.forecasts])


def _panel(ax: Axes, one: Analysis, most: int) -> None:
    found = [(row.from_step, row.forecast, True) for row in one.backtest]
    found += [(later.T, later, False) for later in one.forecasts]
    found = [row for row in found if math.isfinite(row[1].loss)]
    curve = one.fit.curve
    first = min([0.2 * one.fit.last_step, *(0.85 * row[0] for row in found)])
    kept = _end(curve, first)
    if not found or not len(kept):
        return say_empty(ax, f"no forecast: {one.forecasts[0].reason}")
    ax.plot(curve.step[kept], curve.loss[kept], ".", color=MUTED, markersize=2.2, alpha=0.5, zorder=1)
    ax.axhline(one.fit.L_T, color=MUTED, linestyle="--", linewidth=1, zorder=1.5)
    for step, said, earlier in found:
        mark, colour, aside = LOOKS[said.method]
        at = step * BESIDE**aside
        if said.interval:
            ax.vlines(at, *said.interval, color=colour, linewidth=1.3, alpha=0.45 if earlier else 0.9, zorder=2)
        face = PAPER if earlier else colour
        ax.plot(at, said.loss, mark, color=face, markeredgecolor=colour, markersize=5, zorder=3)
    steps = [float(curve.step[kept[0]]), *(row[0] for row in found)]
    log_axis(ax, "x", steps, pad=1.12, most=most)
    middle = [row[1].loss for row in found] + [one.fit.L_T]
    low, high = min(middle), max(middle)
    room = max(high - low, 0.004 * high)
    ax.set_ylim(low - 0.9 * room, high + 0.9 * room)
    return None


def _end(curve: LossCurve, first: float) -> list[int]:
    rows = [k for k, step in enumerate(curve.step.tolist()) if step >= first and step > 0]
    return [rows[k] for k in log_thinned(len(rows), 160)] if rows else []


def alt(logs: Logs) -> str:
    """What the figure shows, for who cannot see it."""
    parts = []
    for name, one in _drawn(logs):
        said = [f"{METHODS[f.method]} {text(f.loss, f.interval, LOSS)}" for f in one.forecasts if f.loss == f.loss]
        if said:
            parts.append(f"{printable(name)} at step {count(one.forecasts[0].T)}: {', '.join(said)}")
    return f"The end of each curve with forecasts and their back-test. {'. '.join(parts)}."


def table(logs: Logs) -> pd.DataFrame:
    """One row for each forecast. earlier: said at from_step about the last fitted step, where `reached` came."""
    rows = []
    for name, one in _drawn(logs):
        every = [(row.from_step, row.forecast, row.reached) for row in one.backtest]
        every += [(one.fit.last_step, later, math.nan) for later in one.forecasts]
        for step, said, reached in every:
            low, high = said.interval or (math.nan, math.nan)
            head = {"run": name, "method": said.method, "earlier": reached == reached, "from_step": step, "T": said.T}
            rows.append(head | {"loss": said.loss, "low": low, "high": high, "reached": reached, "reason": said.reason})
    return pd.DataFrame(rows)
