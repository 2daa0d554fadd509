"""The best sizes for budgets of training FLOPs, by laws of the loss and by iso-FLOP parabolas."""

from collections.abc import Iterator

from zerosum.estimate import Estimate
from zerosum.scaling import Optimal
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.table import Column, Table

TITLE = "Best sizes for budgets"
PLACE = 77


def absent(report: Report) -> str | None:
    return None if report.across(Optimal) else ""


def answer(report: Report) -> Iterator[str]:
    """One line for each budget and law."""
    for best in report.across(Optimal):
        forms = _forms([best])
        size, tokens = (_text(one, form) for one, form in zip((best.n_params, best.tokens), forms, strict=True))
        loss = f", loss {_text(best.loss, n.LOSS)}" if best.loss.known else ""
        yield f"Best for {best.flops:g} FLOPs by {best.law}: N {size}, D {tokens}{loss}."


def sentences(report: Report) -> Iterator[str]:
    """What to keep in mind."""
    for best in report.across(Optimal):
        yield from (f"{best.law}: {printable(reason.message, 400)}." for reason in best.reasons)


def tables(report: Report) -> Iterator[Table]:
    """One row for each budget and law."""
    best = report.across(Optimal)
    size, tokens = _forms(best)
    columns = (
        Column("law"),
        Column("flops", "C", "FLOPs"),
        Column("n_params", "N", size.unit, size, interval=True),
        Column("tokens", "D", tokens.unit, tokens, interval=True),
        Column("loss", "loss", "nats per token", n.LOSS, interval=True),
    )
    rows = tuple((one.law, f"{one.flops:g}", one.n_params, one.tokens, one.loss) for one in best)
    yield Table("scaling-best", "Best sizes for budgets, C = 6 N D", columns, rows, "Brackets: 95 % intervals.")


def _text(one: Estimate, form: n.Form) -> str:
    return " ".join(part for part in (*n.written(one.value, one.interval, form), form.unit) if part)


def _forms(best: list[Optimal]) -> tuple[n.Form, n.Form]:
    """How N and D of the best sizes are written."""
    largest = max(one.n_params.value for one in best), max(one.tokens.value for one in best)
    return n.in_words(largest[0]), n.in_words(largest[1], "tokens")
