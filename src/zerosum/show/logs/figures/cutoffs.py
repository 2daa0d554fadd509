"""How t_d, L_d and r_d move with the cut-off, relative to the fit's own, so that curves of any size share an axis."""

from dataclasses import replace

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zerosum.deceleration import Analysis
from zerosum.show.drawing.axes import log_axis, panels, say_empty
from zerosum.show.drawing.legend import entry, legend_below, run_handles
from zerosum.show.drawing.style import INK, MUTED, Layout, RunStyle, run_styles, style
from zerosum.show.logs.subject import Logs
from zerosum.show.names import printable, short_distinct_names
from zerosum.show.numbers import count, percent
from zerosum.show.words import BREAKS

TITLE = "How much the cut-off matters"
HOW_TO_READ = (
    "The first steps of training follow no power law, so a fit leaves some of them out; how many is a choice. Each "
    "line is one curve: its t_d, L_d and r_d under other choices, divided by the one used everywhere else, which is "
    "the ring at 1. Grey bars are the intervals at the choice used; they do not hold what the choice itself adds. "
    "A line that drifts steadily shows that what comes before the break is not quite straight. Curves without a break "
    "that may be believed are drawn only where the cut-off is the reason, and then dotted."
)
NAMES = ("t_d", "L_d", "r_d")
NAMED = 8  # curves in the legend; of more, those whose t_d moves most keep their colour


def plot(logs: Logs, layout: Layout = "wide") -> Figure:
    """One panel for each number, one line for each curve."""
    with style():
        drawn = _drawn(logs)
        labels = short_distinct_names(logs.names, 28)
        styles = [replace(look, label=label) for look, label in zip(run_styles(logs.names), labels, strict=True)]
        looks = dict(zip(logs.names, styles, strict=True))
        fig, axes = panels(3, layout, height=2.5, columns=3)
        named = sorted(drawn, key=lambda pair: -_moves(pair[1]))[:NAMED]
        kept = {name for name, _ in named}
        for ax, symbol in zip(axes, NAMES, strict=True):
            ax.set_title(f"{symbol}, relative to the fit's")
            if not drawn:
                say_empty(ax, "no curve has a break that may be believed")
                continue
            for name, one in drawn:
                _line(ax, one, looks[name] if name in kept else None, symbol)
            _scales(ax, drawn, symbol)
            ax.set_xlabel("cut-off (first steps left out)" if layout == "wide" else "cut-off (steps)")
        ring = entry("the cut-off used, with its interval", marker="o", markersize=8, markerfacecolor="none")
        rest = [entry("the other curves, which move less", color=MUTED, linewidth=0.8)] if len(drawn) > NAMED else []
        legend_below(fig, [*run_handles([looks[name] for name, _ in named]), *rest, ring], layout)
    return fig


def _drawn(logs: Logs) -> list[tuple[str, Analysis]]:
    return [
        (name, one)
        for name, one in logs.named
        if one.fit.cutoffs
        and (one.fit.verdict in BREAKS or any(reason.code == "unstable-cutoff" for reason in one.fit.reasons))
    ]


def _relative(one: Analysis, symbol: str) -> list[tuple[float, float]]:
    """(cut-off, value over the fit's own) where both are known and of one sign."""
    own = getattr(one.fit, symbol)
    rows = [(row.cutoff, getattr(row, symbol) / own) for row in one.fit.cutoffs]
    return [(cutoff, value) for cutoff, value in rows if 0 < value < float("inf")]


def _moves(one: Analysis) -> float:
    values = [value for _, value in _relative(one, "t_d")]
    return max(values) / min(values) if values else 1.0


def _ends(one: Analysis, symbol: str) -> tuple[float, float] | None:
    ends = one.fit.intervals.get(symbol) if one.fit.verdict in BREAKS else None
    own = getattr(one.fit, symbol)
    low, high = sorted(end / own for end in ends) if ends else (0.0, 0.0)
    return (low, high) if low > 0 else None


def _line(ax: Axes, one: Analysis, look: RunStyle | None, symbol: str) -> None:
    rows = _relative(one, symbol)
    if not rows:
        return
    doubted = one.fit.verdict not in BREAKS
    ends = _ends(one, symbol)
    if look is None:
        ax.plot(*zip(*rows, strict=True), color=MUTED, linewidth=0.8, alpha=0.5, zorder=1.5)
        return
    line = ":" if doubted else look.line
    ax.plot(*zip(*rows, strict=True), marker=look.marker, linestyle=line, color=look.colour, zorder=3)
    if ends:
        ax.vlines(one.fit.cutoff, *ends, color=MUTED, linewidth=3, alpha=0.35, zorder=1.2)
    ax.plot(one.fit.cutoff, 1.0, "o", markersize=8, color="none", markeredgecolor=INK, zorder=4)


def _scales(ax: Axes, drawn: list[tuple[str, Analysis]], symbol: str) -> None:
    rows = [row for _, one in drawn for row in _relative(one, symbol)]
    ends = [end for _, one in drawn for end in _ends(one, symbol) or ()]
    log_axis(ax, "x", [cutoff for cutoff, _ in rows], pad=1.25)
    values = [value for _, value in rows]
    low, high = min(values), max(values)
    near = [end for end in ends if low / 2 <= end <= 2 * high]  # a far end would flatten all lines; tables have it
    log_axis(ax, "y", [*values, *near], pad=1.06)


def alt(logs: Logs) -> str:
    """What the figure shows, for who cannot see it."""
    parts = []
    for name, one in _drawn(logs)[:30]:
        values = [value for _, value in _relative(one, "t_d")]
        cutoffs = [row.cutoff for row in one.fit.cutoffs]
        if values:
            parts.append(
                f"{printable(name)}: t_d from {percent(min(values))} to {percent(max(values))} of the fit's own for "
                f"cut-offs from {count(min(cutoffs))} to {count(max(cutoffs))}"
            )
    return f"t_d, L_d and r_d against the cut-off, relative to the fit's own. {'; '.join(parts) or 'Nothing drawn'}."


def table(logs: Logs) -> pd.DataFrame:
    """One row for each curve and cut-off, absolute and relative. used: the cut-off of the fit itself."""
    rows = []
    for name, one in _drawn(logs):
        relative = {symbol: dict(_relative(one, symbol)) for symbol in NAMES}
        for row in one.fit.cutoffs:
            said = {"run": name, "verdict": one.fit.verdict, "cutoff": row.cutoff, "used": row.cutoff == one.fit.cutoff}
            said |= {symbol: getattr(row, symbol) for symbol in NAMES}
            said |= {f"{symbol}_relative": relative[symbol].get(row.cutoff, float("nan")) for symbol in NAMES}
            rows.append(said)
    columns = ["run", "verdict", "cutoff", "used", *NAMES, *(f"{symbol}_relative" for symbol in NAMES)]
    return pd.DataFrame(rows, columns=columns)
