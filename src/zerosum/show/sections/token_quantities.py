"""The other numbers per token of a store (`zerosum losses --also`): the mean of each over training."""

from collections.abc import Iterator
from typing import Any

from zerosum.interference.labelled import QuantityOverTraining, StoreFindings, StoreLosses
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.table import Column, Table, Value

TITLE = "Other numbers per token"
PLACE = 29
HOW_TO_READ = (
    "The mean over all predicted tokens at each checkpoint, one panel for each number that was measured beside the "
    "loss; bands are 95 % intervals over documents or sequences."
)


def absent(report: Report) -> str | None:
    """Stores hold them only where they were asked for."""
    return None if _names(report) else ""


def _measured(report: Report) -> list[tuple[str, QuantityOverTraining]]:
    """Label of the run and record, run by run."""
    measured = [(label, record) for label, findings in report.each(StoreFindings) for record in findings.quantities]
    return measured or [(label, record) for label, losses in report.each(StoreLosses) for record in losses.quantities]


def _names(report: Report) -> list[str]:
    return sorted({record.name for _, record in _measured(report)})


def sentences(report: Report) -> Iterator[str]:
    """The mean at the first and the last checkpoint."""
    for label, record in _measured(report):
        first, last = (n.text(mean.value, mean.interval, n.PLAIN) for mean in (record.means[0], record.means[-1]))
        yield (
            f"{printable(label)}: mean {printable(_title(record))} from {first} at step {n.count(record.steps[0])} to "
            f"{last} at step {n.count(record.steps[-1])}."
        )


answer = sentences


def _title(record: QuantityOverTraining) -> str:
    return f"{record.meaning} ({record.unit})" if record.unit else record.meaning


def tables(report: Report) -> Iterator[Table]:
    """Every checkpoint of every number."""
    columns = (
        Column("run", "Run"),
        Column("quantity", "Number"),
        Column("unit", "Unit"),
        Column("step", "Step"),
        Column("mean", "Mean", interval=True),
        Column("N", "N", "tokens"),
    )
    rows: list[tuple[Value, ...]] = []
    for label, record in _measured(report):
        for step, mean in zip(record.steps, record.means, strict=True):
            rows.append((label, record.name, record.unit, step, mean, mean.N))
    yield Table("quantities", "Means over tokens at every checkpoint", columns, tuple(rows))


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """One panel for each number, one curve for each run."""
    names = _names(report)
    with d.style():
        looks = d.looks_of(report)
        fig, axes = d.panels(len(names), layout, height=2.8, columns=2)
        for ax, name in zip(axes, names, strict=True):
            records = [(looks[label], record) for label, record in _measured(report) if record.name == name]
            _panel(ax, records)
        d.legend_below(fig, d.run_handles(list(looks.values())), layout)
    return fig


def _panel(ax: "d.Axes", records: "list[tuple[d.RunStyle, QuantityOverTraining]]") -> None:
    for look, record in records:
        d.with_band(ax, record.steps, record.means, look)
    d.log_axis(ax, "x", [float(step) for _, record in records for step in record.steps], pad=1.25)
    ax.set_title(printable(records[0][1].meaning, 60))
    ax.set_xlabel("step")
    ax.set_ylabel(printable(records[0][1].unit or records[0][1].name, 30))


def alt(report: Report) -> str:
    """Alt text."""
    return f"Means over tokens against step. {' '.join(sentences(report))}"


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each run, number and checkpoint."""
    rows = []
    for label, record in _measured(report):
        for step, mean in zip(record.steps, record.means, strict=True):
            low, high = mean.interval or (None, None)
            row = {"run": label, "quantity": record.name, "unit": record.unit, "step": step}
            rows.append(row | {"mean": mean.value, "mean_low": low, "mean_high": high, "N": mean.N})
    return rows
