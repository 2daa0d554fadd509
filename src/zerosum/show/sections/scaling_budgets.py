"""Best sizes of budgets by iso-FLOP parabolas, and the critical batch size at a loss."""

from collections.abc import Iterator

from zerosum.scaling import CriticalBatch, IsoFlop
from zerosum.show import numbers as n
from zerosum.show.report import Report
from zerosum.show.table import Column, Table

TITLE = "Budgets and batches"
PLACE = 76


def absent(report: Report) -> str | None:
    """Only reports on best sizes of budgets or on a critical batch."""
    known = bool(report.across(IsoFlop)) or bool(report.across(CriticalBatch))
    return None if known else ""


def headline(report: Report) -> str:
    """How the best size grows, and whether the critical batch is identified."""
    return " ".join(sentences(report))


def sentences(report: Report) -> Iterator[str]:
    """One sentence for each record."""
    for found in report.across(IsoFlop):
        a, b = (n.text(power.value, power.interval, n.PLAIN) for power in (found.a, found.b))
        yield f"The best size grows as C^a, a = {a}; the best tokens as C^b, b = {b} ({found.a.N} budgets)."
    for batch in report.across(CriticalBatch):
        verdict = "identified" if batch.verdict == "identified" else f"not identified ({batch.B_crit.reason})"
        value = n.text(batch.B_crit.value, batch.B_crit.interval, n.Form("B_crit", batch.B_crit.unit))
        yield f"Critical batch at a loss of {batch.loss:g} nats per token: {value}, {verdict}."


def tables(report: Report) -> Iterator[Table]:
    """One row for each budget; one for each batch size; the parameters of the critical batch."""
    for found in report.across(IsoFlop):
        columns = (
            Column("flops", "C", "FLOPs"),
            Column("n_params", "N", interval=True),
            Column("tokens", "D", "tokens", interval=True),
            Column("loss", "loss", "nats per token", interval=True),
            Column("n", "rows"),
        )
        budgets = tuple((f"{one.flops:g}", one.n_params, one.tokens, one.loss, one.n) for one in found.budgets)
        legend = "Minimum of a parabola of loss in log N. Brackets: 95 % intervals."
        yield Table("isoflop", "Best size of each budget, C = 6 N D", columns, budgets, legend)
    for batch in report.across(CriticalBatch):
        heads = (Column("quantity"), Column("value", interval=True), Column("unit"))
        names = ("B_crit", "S_min", "E_min")
        values = tuple((name, getattr(batch, name), getattr(batch, name).unit) for name in names)
        legend = "(S / S_min - 1)(E / E_min - 1) = 1. Brackets: 95 % intervals."
        yield Table("critical-batch", f"Critical batch at a loss of {batch.loss:g}", heads, values, legend)
        steps = tuple((f"{size:g}", n_steps) for size, n_steps in batch.steps.items())
        heads_of_steps = (Column("batch", "batch", "tokens"), Column("steps", "steps to the loss"))
        yield Table("critical-batch-steps", "Steps to the loss by batch size", heads_of_steps, steps)
