"""The law with several breaks, where it was asked for. The verdict stays that of the one-break law."""

import math
from collections.abc import Iterator

from zerosum.deceleration import Analysis, Breaks
from zerosum.show import numbers as n
from zerosum.show.report import Report
from zerosum.show.table import Column, Table, Value

TITLE = "More than one break"
PLACE = 13
COLUMNS = (
    Column("run"),
    Column("break"),
    Column("t_d", unit="steps", form=n.T_D, interval=True, tex="$t_d$"),
    Column("L_d", unit="nats/token", form=n.L_D, interval=True, tex="$L_d$"),
    Column("r_before", "r before", "log-log rate", form=n.R_D, tex="$r$ before"),
    Column("r_d", "r_d after", "log-log rate", form=n.R_D, interval=True, tex="$r_d$ after"),
    Column("width", unit="log steps", form=n.R_D),
    Column("criterion", "left-out error", form=n.CRITERION, on=("csv", "json")),
    Column("one_break_criterion", "left-out error, one break", form=n.CRITERION, on=("csv", "json")),
)
FORMULAS = {
    "Several breaks": "<code>log L(t) = log b − c0 log t − sum_k c_k f_k log(1 + (t/d_k)^(1/f_k))</code>: the same law "
    "with a factor for each break. Compare laws by their error on stretches that were left out of the fit.",
}


def absent(report: Report) -> str | None:
    return None if _fitted(report) else ""


def answer(report: Report) -> Iterator[Table]:
    yield from tables(report)


def tables(report: Report) -> Iterator[Table]:
    rows = [row for label, one_break, breaks in _fitted(report) for row in _rows(label, one_break, breaks)]
    compared = "; ".join(_compared(one_break, breaks) for _, one_break, breaks in _fitted(report)[:3])
    yield Table(
        "breaks", "Several breaks", COLUMNS, tuple(rows), f"Error on left-out stretches, smaller is better: {compared}."
    )


def _fitted(report: Report) -> list[tuple[str, float, Breaks]]:
    """(label of the run, error of the one-break law, the law with several) of each run."""
    analyses = report.each(Analysis)
    beside = [
        (label, analysis.one_break_criterion, analysis.breaks)
        for label, analysis in analyses
        if analysis.breaks is not None
    ]
    return beside + [(label, float("nan"), breaks) for label, breaks in report.each(Breaks)]


def _rows(label: str, one_break: float, breaks: Breaks) -> Iterator[tuple[Value, ...]]:
    for k, bend in enumerate(breaks.breaks, start=1):
        estimates = (bend.estimate(name) for name in ("t_d", "L_d"))
        criteria = (breaks.criterion, one_break)
        place = f"{k} of {len(breaks.breaks)}"
        yield label, place, *estimates, bend.r_before, bend.estimate("r_d"), bend.f, *criteria


def _compared(one_break: float, breaks: Breaks) -> str:
    several = f"{n.text(breaks.criterion, None, n.CRITERION)} with {n.counted(len(breaks.breaks), 'break')}"
    return several if math.isnan(one_break) else f"{several}, {n.text(one_break, None, n.CRITERION)} with one"
