"""Best sizes of budgets by iso-FLOP parabolas, and the critical batch size at a loss."""

from collections.abc import Iterator
from itertools import cycle
from typing import Any

import numpy as np

from zerosum.scaling import CriticalBatch, IsoFlop
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.section import with_sentences
from zerosum.show.table import Column, Table, Text

TITLE = "Budgets and batches"
PLACE = 76
HOW_TO_READ = (
    "Losses of each budget, the parabola through them, and its minimum (cross). Then the minima against the "
    "budget, and the power through them. For the critical batch: steps to the loss against the batch size; at "
    "B_crit a run needs twice the steps of a huge batch."
)
BRACKETS = "Brackets: 95 % intervals."
DASHES = (0, (4, 2))


def absent(report: Report) -> str | None:
    """Only reports on best sizes of budgets or on a critical batch."""
    return None if _records(report) else ""


def headline(report: Report) -> str:
    """How the best size grows, and whether the critical batch is identified."""
    return " ".join(sentences(report))


def sentences(report: Report) -> Iterator[str]:
    """One sentence for each record."""
    for found in report.across(IsoFlop):
        a, b = (n.text(power.value, power.interval, n.PLAIN) for power in (found.a, found.b))
        left_out = len(found.budgets) - int(found.a.N or 0)
        without = f", {left_out} without a minimum left out" if left_out else ""
        yield f"The best size grows as C^a, a = {a}; the best tokens as C^b, b = {b} ({found.a.N} budgets{without})."
    for batch in report.across(CriticalBatch):
        verdict = "identified" if batch.verdict == "identified" else f"not identified ({batch.B_crit.reason})"
        value = n.text(batch.B_crit.value, batch.B_crit.interval, n.Form("B_crit", batch.B_crit.unit))
        yield f"Critical batch at a loss of {batch.loss:g} nats per token: {value}, {verdict}."


def answer(report: Report) -> Iterator[Table | str]:
    """Steps of each batch size, and what to keep in mind."""
    for batch in report.across(CriticalBatch):
        yield _steps_table(batch)
    for record in _records(report):
        yield from (
            f"{text[:1].upper()}{text[1:]}." for text in (printable(one.message, 400) for one in record.reasons)
        )


def _records(report: Report) -> list[IsoFlop | CriticalBatch]:
    return [*report.across(IsoFlop), *report.across(CriticalBatch)]


def tables(report: Report) -> Iterator[Table]:
    """One row for each budget; one for each batch size; the parameters of the critical batch."""
    for found in report.across(IsoFlop):
        size, tokens = (
            n.in_words(max(getattr(one, name).value for one in found.budgets if one.n_params.known), unit)
            for name, unit in (("n_params", ""), ("tokens", "tokens"))
        )
        heads = (Column("n_params", "N", size.unit, size, True), Column("tokens", "D", tokens.unit, tokens, True))
        columns = (Column("flops", "C", "FLOPs"), *heads, _loss(), Column("n", "rows"))
        budgets = tuple((f"{one.flops:.4g}", one.n_params, one.tokens, one.loss, one.n) for one in found.budgets)
        legend = f"Minimum of a parabola of loss in log N. {BRACKETS}"
        yield Table("isoflop", "Best size of each budget, C = 6 N D", columns, budgets, legend)
    for batch in report.across(CriticalBatch):
        names = ("B_crit", "S_min", "E_min")
        values = tuple((name, getattr(batch, name), getattr(batch, name).unit) for name in names)
        legend = f"(S / S_min - 1)(E / E_min - 1) = 1. {BRACKETS}"
        quantities = (Column("quantity"), Column("value", interval=True), Column("unit"))
        yield Table("critical-batch", f"Critical batch at a loss of {batch.loss:g}", quantities, values, legend)
        yield _steps_table(batch)
    notes = tuple(
        (Text(reason.code), Text(printable(reason.message, 600))) for one in _records(report) for reason in one.reasons
    )
    if notes:
        yield Table("budgets-notes", "To keep in mind", (Column("code"), Column("note")), notes)


def _loss() -> Column:
    return Column("loss", "loss", "nats per token", n.LOSS, interval=True)


def _steps_table(batch: CriticalBatch) -> Table:
    rated = any(batch.rates.values())
    rates = (Column("lr", "learning rate"),) if rated else ()
    columns = (Column("batch", "batch", "tokens"), Column("steps", "steps to the loss"), *rates)
    rows = tuple(
        (f"{size:g}", steps, *((batch.rates[size] or None,) if rated else ())) for size, steps in batch.steps.items()
    )
    return Table("critical-batch-steps", "Steps to the loss by batch size", columns, rows)


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """Two panels for budgets, one for each critical batch."""
    budgets, batches = report.across(IsoFlop), report.across(CriticalBatch)
    with d.style():
        fig, axes = d.panels(2 * len(budgets) + len(batches), layout, height=3.2, columns=2)
        for k, found in enumerate(budgets):
            _parabolas(axes[2 * k], found)
            _power(axes[2 * k + 1], found)
        for ax, batch in zip(axes[2 * len(budgets) :], batches, strict=True):
            _steps(ax, batch)
        handles = [
            d.entry(f"C = {budget.flops:.2g} FLOPs", linestyle="", **look)
            for found in budgets
            for budget, look in _looks(found)
        ]
        if batches:
            handles += [d.entry("B_crit, grey: 95 %", color=d.MUTED), d.entry("S_min", linestyle=DASHES, color=d.MUTED)]
        d.legend_below(fig, handles, layout)
    return fig


def _looks(found: IsoFlop) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Each budget with its colour and marker."""
    for budget, colour, marker in zip(found.budgets, cycle(d.SERIES), cycle(d.MARKERS), strict=False):
        yield budget, {"color": colour, "marker": marker}


def _parabolas(ax: "d.Axes", found: IsoFlop) -> None:
    for budget, look in _looks(found):
        ax.plot(budget.N, budget.losses, linestyle="", markersize=4, **look)
        if budget.n_params.known:
            x = np.geomspace(budget.N.min(), budget.N.max(), 60)
            y = budget.loss.value + budget.curvature * np.log(x / budget.n_params.value) ** 2
            ax.plot(x, y, color=look["color"], linewidth=1)
            ax.plot(budget.n_params.value, budget.loss.value, color=d.INK, marker="x", markersize=7, zorder=4)
    sizes = np.concatenate([budget.N for budget in found.budgets])
    d.log_axis(ax, "x", sizes.tolist(), pad=1.2, most=6, write=n.params)
    ax.set_title("each budget C = 6 N D")
    ax.set_xlabel("parameters N")
    ax.set_ylabel("loss (nats per token)")


def _power(ax: "d.Axes", found: IsoFlop) -> None:
    flops = np.geomspace(np.exp(found.at.min()), np.exp(found.at.max()), 40)
    best = [found.optimal(float(C)).n_params for C in flops]
    look = d.RunStyle(d.MUTED, "", "-", None, 1.0)
    d.with_band(ax, flops.tolist(), best, look)
    sizes = []
    for budget, mark in _looks(found):
        if budget.n_params.known:
            low, high = budget.n_params.interval or (budget.n_params.value,) * 2
            ax.vlines(budget.flops, low, high, color=mark["color"], linewidth=1.2)
            ax.plot(budget.flops, budget.n_params.value, linestyle="", **mark)
            sizes += [low, high]
    d.log_axis(ax, "x", flops.tolist(), pad=1.5, most=6)
    d.log_axis(ax, "y", sizes, pad=1.2, most=6, write=n.params)
    ax.set_title("best size of each budget, N = k C^a")
    ax.set_xlabel("training FLOPs C")
    ax.set_ylabel("best N")


def _steps(ax: "d.Axes", batch: CriticalBatch) -> None:
    sizes, steps = np.array(list(batch.steps)), np.array(list(batch.steps.values()))
    x = np.geomspace(sizes.min(), sizes.max(), 80)
    curve = batch.S_min.value * (1 + batch.B_crit.value / x)
    ax.plot(x, curve, color=d.SERIES[0], linewidth=1.4)
    ax.plot(sizes, steps, linestyle="", marker="o", color=d.INK)
    if batch.B_crit.interval:
        ax.axvspan(*batch.B_crit.interval, color=d.RANGE, zorder=0)
    ax.axvline(batch.B_crit.value, color=d.MUTED, linewidth=1)
    ax.axhline(batch.S_min.value, color=d.MUTED, linewidth=1, linestyle=DASHES)
    d.log_axis(ax, "x", [*sizes.tolist(), *(batch.B_crit.interval or ())], pad=1.3, most=6)
    d.log_axis(ax, "y", [*steps.tolist(), float(batch.S_min.value)], pad=1.3, most=6)
    ax.set_title(f"steps to a loss of {batch.loss:g}")
    ax.set_xlabel("batch (tokens per step)")
    ax.set_ylabel("steps to the loss")


alt = with_sentences("Parabolas of the loss of each budget and their minima; steps to a loss by batch size.", sentences)


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each loss of a budget, and for each batch size."""
    budgets = [
        {"flops": budget.flops, "N": float(N), "loss": float(loss), "best_N": budget.n_params.value}
        for found in report.across(IsoFlop)
        for budget in found.budgets
        for N, loss in zip(budget.N, budget.losses, strict=True)
    ]
    steps = [
        {"loss": batch.loss, "batch": size, "steps": count}
        for batch in report.across(CriticalBatch)
        for size, count in batch.steps.items()
    ]
    return [*budgets, *steps]
