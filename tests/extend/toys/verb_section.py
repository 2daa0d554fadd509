"""How far loss curves jump from row to row."""

from collections.abc import Iterable

from zerosum.deceleration.roughness import Roughness

from zerosum.show.report import Report
from zerosum.show.table import Column, Table

TITLE = "Roughness"
PLACE = 11
FORMULAS = {"jump": "<code>mean_k |L_(k+1) − L_k|</code>"}


def absent(report: Report) -> str | None:
    return None if report.each(Roughness) else ""


def tables(report: Report) -> list[Table]:
    columns = (Column("run"), Column("jump", unit="nats per token", interval=True), Column("N", unit="differences"))
    rows = tuple((label, record.jump, record.jump.N) for label, record in report.each(Roughness))
    return [Table("roughness", "Roughness of every curve", columns, rows, "brackets: 95 percent intervals")]


answer = tables


def headline(report: Report) -> str:
    label, record = max(report.each(Roughness), key=lambda pair: pair[1].jump.value)
    return f"{label} is the roughest: it jumps by {record.jump.value:.3g} nats from row to row."


def sentences(report: Report) -> Iterable[str]:
    yield headline(report)
