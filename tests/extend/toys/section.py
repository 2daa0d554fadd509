"""How many losses each curve has above its median: a section with a sentence, a table and a figure."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from zerosum.deceleration import Analysis
from zerosum.show import drawing as d
from zerosum.show.report import Report
from zerosum.show.table import Column, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Losses above their median"
PLACE = 15
HOW_TO_READ = "Each bar is a curve."


def absent(report: Report) -> str | None:
    return None if report.each(Analysis) else ""


def above(report: Report) -> list[tuple[str, int]]:
    curves = [(label, analysis.fit.curve.loss) for label, analysis in report.each(Analysis)]
    return [(label, int((loss > np.median(loss)).sum())) for label, loss in curves]


def sentences(report: Report) -> Iterable[str]:
    yield from (f"{label} has {count} losses above their median." for label, count in above(report))


def tables(report: Report) -> list[Table]:
    columns = (Column("run"), Column("above_median", "above the median", "losses"))
    return [Table("medians", "Losses above their median", columns, tuple(above(report)))]


def numbers(report: Report) -> list[dict[str, Any]]:
    return [{"run": label, "above_median": count} for label, count in above(report)]


def alt(report: Report) -> str:
    return " ".join(sentences(report))


def plot(report: Report, layout: d.Layout = "wide") -> "Figure":
    with d.style():
        fig, axes = d.panels(1, layout, height=2.0)
        axes[0].bar(range(len(report.runs)), [count for _, count in above(report)])
        axes[0].set_ylabel("losses")
    return fig
