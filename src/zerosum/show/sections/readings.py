"""How each loss log was read, cleaned and fitted."""

from collections.abc import Iterator

from zerosum.curves import DECIDED, LossCurve, code_of
from zerosum.deceleration import Analysis, Fit
from zerosum.show import numbers as n
from zerosum.show.report import Report
from zerosum.show.table import Column, Table

TITLE = "How each log was read"
PLACE = 22


def absent(report: Report) -> str | None:
    has_curves = bool(report.each(Analysis)) or bool(report.each(LossCurve))
    return None if has_curves else ""


def answer(report: Report) -> Iterator[Table | str]:
    """Where there are curves and no fits, this is the answer; else what the reader had to decide."""
    yield from _curves(report)
    for label, analysis in report.each(Analysis):
        decided = [str(note) for note in analysis.fit.curve.cleaning if code_of(note) in DECIDED]
        if decided:
            yield f"how {label} was read: {'; '.join(decided)}"


def tables(report: Report) -> Iterator[Table]:
    yield from _curves(report)
    for label, analysis in report.each(Analysis):
        yield _facts(label, analysis.fit.curve, analysis.fit)


def _curves(report: Report) -> Iterator[Table]:
    for label, curve in report.each(LossCurve):
        yield _facts(label, curve, None)


def _facts(label: str, curve: LossCurve, fit: Fit | None) -> Table:
    rows = [*_reading(curve), *(_fitting(fit) if fit else ())]
    return Table("", label, (Column("what", " "), Column("how", " ")), tuple(rows))


def _reading(curve: LossCurve) -> Iterator[tuple[str, str]]:
    columns = ", ".join(f"{axis} is {name!r}" for axis, name in curve.columns.items())
    first, last = float(curve.loss[0]), float(curve.loss[-1])
    places = n.decimals(min(first, last), form=n.Form("", digits=4))
    yield "source", curve.source or "an array"
    yield "read as", f"{curve.format}: {columns or 'columns by their place'}"
    yield "points", f"{n.count(len(curve))}, step {n.count(float(curve.step[0]))} to {n.count(float(curve.step[-1]))}"
    yield "loss", f"{n.number(first, places)} at the first, {n.number(last, places)} at the last, nats per token"
    for sentence in curve.cleaning or ("nothing had to be changed",):
        yield "cleaned", str(sentence)


def _fitting(fit: Fit) -> Iterator[tuple[str, str]]:
    yield (
        "fit",
        f"procedure “{fit.procedure}”; steps {n.count(fit.first_step)} to {n.count(fit.last_step)} (cut-off "
        f"{n.count(fit.cutoff)}), {n.count(fit.n_points)} of {n.count(len(fit.curve))} losses in "
        f"{n.count(fit.n_bins)} points; misfit RSLE {fit.rsle:.3g}",
    )
    yield "intervals", f"{fit.interval_level:.0%}, {fit.interval_method}"
