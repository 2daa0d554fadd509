"""Section: one measurement of interference by itself, as a script makes it from any signed changes."""

from collections.abc import Iterator
from typing import Any

from zerosum.interference import Interference
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.report import Report
from zerosum.show.table import Column, Table

TITLE = "Interference of signed changes"
PLACE = 31
HOW_TO_READ = (
    "D, the share of all movement that cancels, with its interval, beside what it would be with random signs of each "
    "token or each unit, and the harmful share of the movement."
)
FORMS = {"R": n.R, "D": n.D, "M": n.M, "delta_L": n.DELTA_L, "harmful_share": n.SHARE}
NULLS = ("null", "null_unit", "excess")


def absent(report: Report) -> str | None:
    """Reports on runs have measurements inside other records."""
    return None if report.each(Interference) else ""


def answer(report: Report) -> Iterator[str]:
    """Every number in a line."""
    for _, measured in report.each(Interference):
        for name, form in FORMS.items():
            estimate = measured.estimate(name)
            why = f"  ({estimate.reason})" if estimate.reason else ""
            yield f"{name:<14}{' '.join(filter(None, n.written(estimate.value, estimate.interval, form)))}{why}"
        yield "by chance     " + ", ".join(f"{name} {n.number(getattr(measured, name), 3)}" for name in NULLS)
        units = f", {measured.interval.n_units} units resampled" if measured.interval else ""
        yield f"N             {n.count(measured.N)}{units}"


def tables(report: Report) -> Iterator[Table]:
    """One row for each number."""
    columns = (Column("name", "Name"), Column("value", "Value", interval=True), Column("N", "N"))
    for _, measured in report.each(Interference):
        names = (*FORMS, *NULLS)
        rows = tuple((name, measured.estimate(name), measured.N) for name in names)
        yield Table("", "Interference", columns, rows)


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """D with its interval, its values by chance, and the harmful share, on one axis from 0 to 1."""
    ((_, measured),) = report.each(Interference)
    names = ("D", "null", "null_unit", "harmful_share")
    with d.style():
        fig, (ax,) = d.panels(1, layout, height=1.7)
        for y, name in enumerate(names):
            estimate = measured.estimate(name)
            if estimate.interval:
                ax.plot(estimate.interval, [y, y], color=d.SERIES[0], linewidth=1.4)
            ax.plot(estimate.value, y, "|" if name in NULLS else "o", color=d.MUTED if name in NULLS else d.SERIES[0])
        ax.set_yticks(range(len(names)), names)
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.set_xlim(-0.02, 1.02)
        ax.set_xlabel(f"share of all movement of N = {measured.N:,} changes")
    return fig


def alt(report: Report) -> str:
    """Alt text."""
    return f"D, its values by chance and the harmful share. {' '.join(answer(report))}"


def numbers(report: Report) -> list[dict[str, Any]]:
    """The measurement as one row."""
    return [d.interference_columns(measured) for _, measured in report.each(Interference)]
