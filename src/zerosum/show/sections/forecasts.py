"""Where each curve goes: its end, three forecasts with intervals, and what the same methods said earlier."""

import math
from collections.abc import Iterator
from typing import Any

from zerosum.curves import LossCurve
from zerosum.deceleration import Analysis, BacktestRow, Forecast
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.sections._single_run import is_on_page_of_fits
from zerosum.show.table import Column, Table, Text, Value
from zerosum.tokens.ngrams import NgramLadder

TITLE = "Where the loss goes"
PLACE = 18
HOW_TO_READ = (
    "Dots are the end of each curve. Full marks are forecasts for later steps, with intervals that hold if the law "
    "goes on to hold: the same run, the same data and rate. Hollow marks are the test on the curve itself: what the "
    "same method, fitted to the steps up to there, would have said about the loss at the last fitted step. The dashed "
    "line is the loss that was reached there: hollow marks below it were too optimistic, as those of the one-break "
    "law mostly are. A mark that is missing was not possible; its reason is in the table. Intervals that leave a panel "
    "go on outside of it."
)
FORMULAS = {
    "Forecasts": "For a run that goes on as it did in the fitted range. An extrapolated one-break law is optimistic on "
    "most real curves; the test on the curve itself shows by how much on this one.",
}
METHODS = {
    "one-break": "the one-break law",
    "power-law": "the power law",
    "floor-last-decade": "a power law with floor",
    "stays": "the loss as it is",
}
BESIDE = {"one-break": -1, "power-law": -1, "floor-last-decade": 1, "stays": 0}
APART = 1.025  # factor in steps between marks of one step


def absent(report: Report) -> str | None:
    if _curves(report) and is_on_page_of_fits(report):
        return "forecasts, other laws and cut-offs are on the page of the fit alone. zerosum fit RUN --out DIR"
    return None if _curves(report) else ""


def headline(report: Report) -> str:
    curves = _curves(report)
    return _outlook(curves[0][1]) if len(curves) == 1 else ""


def sentences(report: Report) -> Iterator[str]:
    """How the one-break law did on the curves themselves, where it was too optimistic."""
    for label, analysis in _curves(report):
        errors = [row.error for row in analysis.backtest if row.forecast.method == "one-break"]
        known = [error for error in errors if math.isfinite(error)]
        low = [error for error in known if error < 0]
        if low:
            yield (
                f"{printable(label)}: in {len(low)} of {len(known)} back-tests the one-break law forecast too low a "
                f"loss, by up to {n.percent(-min(low))}. Expect more than it says."
            )


def tables(report: Report) -> Iterator[Table]:
    """Each method at each horizon, beside what it would have said earlier."""
    curves = _curves(report)
    fractions = sorted({row.fraction for _, analysis in curves for row in analysis.backtest})
    tested = (Column(f"from_{at:g}", f"from {n.percent(at)}", "error at the end") for at in fractions)
    loss = Column("loss", unit="nats/token", form=n.LOSS)
    columns = (Column("run"), Column("T", "step"), Column("method"), loss, *tested)
    rows: list[tuple[Value, ...]] = []
    for label, analysis in curves:
        for later in analysis.forecasts:
            past = {row.fraction: row for row in analysis.backtest if row.forecast.method == later.method}
            step, method = n.count(later.T), METHODS[later.method]
            rows.append((label, step, method, later.estimate, *(_tested(past.get(at)) for at in fractions)))
    legend = (
        "The run goes on as in the fitted steps. Back-test: the last fitted loss, forecast from the first part of the "
        "steps; above 0: too high a forecast."
    )
    yield Table("", "Forecasts, and how the same methods did on the curve itself", columns, tuple(rows), legend)
    missing = list(_missing(report))
    if missing:
        yield Table(
            "", "Forecasts that cannot be given", (Column("run"), Column("which"), Column("why")), tuple(missing)
        )


def _curves(report: Report) -> list[tuple[str, Analysis]]:
    return [(label, analysis) for label, analysis in report.each(Analysis) if analysis.forecasts]


def _tested(row: BacktestRow | None) -> Text:
    if row is None or not math.isfinite(row.error):
        return Text("—", note=row.forecast.reason if row else "not tested")
    held = {True: "interval held", False: "interval missed", None: ""}[row.held]
    sign = "+" if row.error > 0 else "−"
    return Text(f"{sign}{n.percent(abs(row.error))}", below=held, note="" if held else "no interval")


def _missing(report: Report) -> Iterator[tuple[str, str, str]]:
    for label, analysis in _curves(report):
        later = [(f"at step {n.count(ahead.T)}", ahead) for ahead in analysis.forecasts]
        earlier = [(f"from the first {n.percent(row.fraction)}", row.forecast) for row in analysis.backtest]
        causes: dict[str, list[str]] = {}
        for where, forecast in (*later, *earlier):
            if not math.isfinite(forecast.loss):
                causes.setdefault(forecast.reason, []).append(f"{METHODS[forecast.method]} {where}")
        for why, places in causes.items():
            yield label, "; ".join(places), why


def _outlook(analysis: Analysis) -> str:
    """Forecasts at the first horizon, and how the same methods did on this curve."""
    T = analysis.forecasts[0].T
    known = [
        f"{n.text(later.loss, later.interval, n.LOSS, unit=False)} by {METHODS[later.method]}"
        for later in analysis.forecasts
        if later.T == T and later.method != "stays" and math.isfinite(later.loss)
    ]
    if not known:
        return f"No forecast for step {n.count(T)}: {analysis.forecasts[0].reason}."
    diverged = any(reason.code == "diverged" for reason in analysis.fit.reasons)
    goes_on = "Had the run not diverged" if diverged else "If the run goes on as it did"
    will = "would have been" if diverged else "will be"
    return f"{goes_on}, its loss at step {n.count(T)} {will} {' and '.join(known)}.{_halfway(analysis)}"


def _halfway(analysis: Analysis) -> str:
    halves = [row for row in analysis.backtest if row.fraction == 0.5 and row.forecast.method != "stays"]
    errors = [f"{_off(row.error)} by {METHODS[row.forecast.method]}" for row in halves if math.isfinite(row.error)]
    return f" From its first half the end of the run was forecast {' and '.join(errors)}." if errors else ""


def _off(error: float) -> str:
    """How far a forecast was off. Below 0 it was optimistic.

    >>> _off(-0.021).replace(chr(160), " "), _off(0.0001).replace(chr(160), " ")
    ('2.1 % too low', 'within 0.1 %')
    """
    if abs(error) < 0.001:
        return "within 0.1\xa0%"
    return f"{n.percent(abs(error))} too {'low' if error < 0 else 'high'}"


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """One panel for each curve that has forecasts."""
    with d.style():
        curves = _curves(report)
        drawn = list(d.shown(curves))
        ladders = {label: ladder.by_model for label, ladder in report.each(NgramLadder)}
        fig, axes = d.multiples(len(curves), layout, height=2.9, share=False)
        for ax, (_, analysis), head in zip(axes, drawn, d.titles([name for name, _ in drawn], layout), strict=True):
            ax.set_title(head)
            _panel(ax, analysis, d.ticks(len(drawn)))
        rungs = [d.rung_lines(ax, ladders.get(label, {})) for ax, (label, _) in zip(axes, drawn, strict=True)]
        d.name_axes(axes, layout, "step t", "loss (nats per token)")
        used = {forecast.method for _, analysis in drawn for _, forecast, _ in _forecasts(analysis)}
        looks = [(method, *_look(method)) for method in METHODS if method in used]
        handles = [d.entry(METHODS[method], marker=mark, color=colour) for method, mark, colour in looks]
        hollow = d.entry("the same, forecast earlier for the last fitted step", marker="D", markerfacecolor="none")
        reached = d.entry("loss reached at the last fitted step", color=d.MUTED, linestyle="--", linewidth=1)
        d.legend_below(fig, [*handles, hollow, reached, *max(rungs, key=len)], layout)
    return fig


def _look(method: str) -> tuple[str, str]:
    """Marker and colour."""
    place = list(METHODS).index(method)
    return "Dvso"[place], d.SERIES[(0, 3, 1, 2)[place]]


def _forecasts(analysis: Analysis) -> list[tuple[float, Forecast, bool]]:
    """(step, forecast, whether it is a test on an earlier part), those with a number."""
    earlier = [(row.from_step, row.forecast, True) for row in analysis.backtest]
    every = earlier + [(later.T, later, False) for later in analysis.forecasts]
    return [row for row in every if math.isfinite(row[1].loss)]


def _panel(ax: "d.Axes", analysis: Analysis, most: int) -> None:
    fit, forecasts = analysis.fit, _forecasts(analysis)
    first = min([0.2 * fit.last_step, *(0.85 * step for step, *_ in forecasts)])
    end = _end(fit.curve, first)
    if not forecasts or not len(end):
        return d.say_empty(ax, f"no forecast: {analysis.forecasts[0].reason}")
    ax.plot(fit.curve.step[end], fit.curve.loss[end], ".", color=d.MUTED, markersize=2.2, alpha=0.5, zorder=1)
    ax.axhline(fit.L_T, color=d.MUTED, linestyle="--", linewidth=1, zorder=1.5)
    for step, forecast, earlier in forecasts:
        mark, colour = _look(forecast.method)
        at = step * APART ** BESIDE[forecast.method]
        if forecast.interval:
            ax.vlines(at, *forecast.interval, color=colour, linewidth=1.3, alpha=0.45 if earlier else 0.9, zorder=2)
        face = d.PAPER if earlier else colour
        ax.plot(at, forecast.loss, mark, color=face, markeredgecolor=colour, markersize=5, zorder=3)
    d.log_axis(ax, "x", [float(fit.curve.step[end[0]]), *(step for step, *_ in forecasts)], pad=1.12, most=most)
    losses = [forecast.loss for _, forecast, _ in forecasts] + [fit.L_T]
    low, high = min(losses), max(losses)
    room = max(high - low, 0.004 * high)
    ax.set_ylim(low - 0.9 * room, high + 0.9 * room)
    return None


def _end(curve: LossCurve, first: float) -> list[int]:
    rows = [k for k, step in enumerate(curve.step.tolist()) if step >= first and step > 0]
    return [rows[k] for k in d.log_thinned(len(rows), 160)] if rows else []


def alt(report: Report) -> str:
    """Alt text."""
    parts = []
    for label, analysis in d.shown(_curves(report)):
        known = [later for later in analysis.forecasts if math.isfinite(later.loss)]
        texts = [f"{METHODS[later.method]} {n.text(later.loss, later.interval, n.LOSS)}" for later in known]
        if texts:
            parts.append(f"{printable(label)} at step {n.count(known[0].T)}: {', '.join(texts)}")
    return f"The end of each curve with forecasts and their back-test. {'. '.join(parts)}."


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each forecast. earlier: made at from_step for the last fitted step, where `reached` came."""
    rows = []
    for label, analysis in d.shown(_curves(report)):
        every = [(row.from_step, row.forecast, row.reached) for row in analysis.backtest]
        every += [(analysis.fit.last_step, later, math.nan) for later in analysis.forecasts]
        for step, forecast, reached in every:
            low, high = forecast.interval or (math.nan, math.nan)
            earlier = math.isfinite(reached)
            rows.append(
                {"run": label, "method": forecast.method, "earlier": earlier, "from_step": step, "T": forecast.T}
                | {"loss": forecast.loss, "low": low, "high": high, "reached": reached, "reason": forecast.reason}
            )
    return rows
