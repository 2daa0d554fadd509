"""How L_d, t_d and r_d move with the cut-off, relative to the fit's own, so that curves of any size share an axis."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from zerosum.deceleration import Analysis, Fit
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.names import printable, short_distinct_names
from zerosum.show.report import Report
from zerosum.show.sections._single_run import is_on_page_of_fits
from zerosum.show.table import Column, Table

TITLE = "How much the cut-off matters"
PLACE = 16
HOW_TO_READ = (
    "The first steps of training follow no power law, so a fit leaves some of them out; how many is a choice. Each "
    "line is one curve: its t_d, L_d and r_d under other choices, divided by the one used everywhere else, which is "
    "the ring at 1. Grey bars are the intervals at the choice used; they do not hold what the choice itself adds. "
    "A line that drifts steadily shows that what comes before the break is not quite straight. Curves without a break "
    "that may be believed are drawn only where the cut-off is the reason, and then dotted."
)
SYMBOLS = ("t_d", "L_d", "r_d")
NAMED = 8  # curves in the legend; of more, those whose t_d moves most keep their colour
LONGEST = 28  # characters of a name in the legend
COLUMNS = (
    Column("run"),
    Column("cut-off", unit="steps left out"),
    Column("L_d", unit="nats/token", form=n.L_D),
    Column("t_d", unit="steps", form=n.T_D),
    Column("r_d", unit="log-log rate", form=n.R_D),
)


def absent(report: Report) -> str | None:
    if not report.each(Analysis) or is_on_page_of_fits(report):
        return ""
    return None if _drawn(report) else "no curve has a break that may be believed"


def tables(report: Report) -> Iterator[Table]:
    rows = [
        (label, f"{n.count(row.cutoff)}{'*' if row.cutoff == fit.cutoff else ''}", row.L_d, row.t_d, row.r_d)
        for label, fit in _drawn(report)
        for row in fit.cutoffs
    ]
    legend = "The numbers of the fit when steps up to each cut-off are dropped; *: the cut-off used."
    yield Table("", "The numbers under other cut-offs", COLUMNS, tuple(rows), legend)


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """One panel for each number, one line for each curve."""
    with d.style():
        drawn = _drawn(report)
        labels = short_distinct_names(report.labels, LONGEST)
        styles = [replace(look, label=label) for look, label in zip(d.run_styles(report.sizes), labels, strict=True)]
        looks = dict(zip(report.labels, styles, strict=True))
        fig, axes = d.panels(3, layout, height=2.5, columns=3)
        named = [label for label, _ in sorted(drawn, key=lambda pair: -_moves(pair[1]))[:NAMED]]
        for ax, symbol in zip(axes, SYMBOLS, strict=True):
            ax.set_title(f"{symbol}, relative to the fit's")
            for label, fit in drawn:
                _line(ax, fit, looks[label] if label in named else None, symbol)
            _scales(ax, [fit for _, fit in drawn], symbol)
            ax.set_xlabel("cut-off (first steps left out)" if layout == "wide" else "cut-off (steps)")
        ring = d.entry("the cut-off used, with its interval", marker="o", markersize=8, markerfacecolor="none")
        rest = [d.entry("the other curves, which move less", color=d.MUTED, linewidth=0.8)]
        rest = rest if len(drawn) > NAMED else []
        d.legend_below(fig, [*d.run_handles([looks[label] for label in named]), *rest, ring], layout)
    return fig


def _drawn(report: Report) -> list[tuple[str, Fit]]:
    fits = [(label, analysis.fit) for label, analysis in report.each(Analysis)]
    return [(label, fit) for label, fit in fits if fit.cutoffs and (fit.has_break or _unstable(fit))]


def _unstable(fit: Fit) -> bool:
    return any(reason.code == "unstable-cutoff" for reason in fit.reasons)


def _relative(fit: Fit, symbol: str) -> list[tuple[float, float]]:
    """(cut-off, value over the fit's own) where both are known and of one sign."""
    own = getattr(fit, symbol)
    rows = [(row.cutoff, getattr(row, symbol) / own) for row in fit.cutoffs]
    return [(cutoff, value) for cutoff, value in rows if 0 < value < math.inf]


def _moves(fit: Fit) -> float:
    """By which factor t_d moves over all cut-offs."""
    values = [value for _, value in _relative(fit, "t_d")]
    return max(values) / min(values) if values else 1.0


def _ends(fit: Fit, symbol: str) -> tuple[float, float] | None:
    ends = fit.intervals.get(symbol) if fit.has_break else None
    own = getattr(fit, symbol)
    low, high = sorted(end / own for end in ends) if ends else (0.0, 0.0)
    return (low, high) if low > 0 else None


def _line(ax: "d.Axes", fit: Fit, look: "d.RunStyle | None", symbol: str) -> None:
    rows = _relative(fit, symbol)
    if not rows:
        return
    if look is None:
        ax.plot(*zip(*rows, strict=True), color=d.MUTED, linewidth=0.8, alpha=0.5, zorder=1.5)
        return
    line = look.line if fit.has_break else ":"
    ax.plot(*zip(*rows, strict=True), look.marker, linestyle=line, color=look.colour, alpha=look.strength, zorder=3)
    ends = _ends(fit, symbol)
    if ends:
        ax.vlines(fit.cutoff, *ends, color=d.MUTED, linewidth=3, alpha=0.35, zorder=1.2)
    ax.plot(fit.cutoff, 1.0, "o", markersize=8, color="none", markeredgecolor=d.INK, zorder=4)


def _scales(ax: "d.Axes", fits: list[Fit], symbol: str) -> None:
    rows = [row for fit in fits for row in _relative(fit, symbol)]
    if not rows:
        d.say_empty(ax, "no value of the same sign")
        return
    ends = [end for fit in fits for end in _ends(fit, symbol) or ()]
    d.log_axis(ax, "x", [cutoff for cutoff, _ in rows], pad=1.25)
    values = [value for _, value in rows]
    low, high = min(values), max(values)
    near = [end for end in ends if low / 2 <= end <= 2 * high]  # a far end would flatten all lines; tables have it
    d.log_axis(ax, "y", [*values, *near], pad=1.06)


def alt(report: Report) -> str:
    """Alt text."""
    parts = []
    for label, fit in _drawn(report)[:30]:
        values = [value for _, value in _relative(fit, "t_d")]
        cutoffs = [row.cutoff for row in fit.cutoffs]
        if values:
            parts.append(
                f"{printable(label)}: t_d from {n.percent(min(values))} to {n.percent(max(values))} of the fit's own "
                f"for cut-offs from {n.count(min(cutoffs))} to {n.count(max(cutoffs))}"
            )
    return f"t_d, L_d and r_d against the cut-off, relative to the fit's own. {'; '.join(parts) or 'Nothing drawn'}."


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each curve and cut-off, absolute and relative. used: the cut-off of the fit itself."""
    rows = []
    for label, fit in _drawn(report):
        relative = {symbol: dict(_relative(fit, symbol)) for symbol in SYMBOLS}
        for row in fit.cutoffs:
            used = row.cutoff == fit.cutoff
            numbers = {"run": label, "verdict": fit.verdict, "cutoff": row.cutoff, "used": used}
            numbers |= {symbol: getattr(row, symbol) for symbol in SYMBOLS}
            rows.append(numbers | {f"{name}_relative": relative[name].get(row.cutoff, math.nan) for name in SYMBOLS})
    return rows
