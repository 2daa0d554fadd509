"""The mean rank of labels at the last checkpoint."""

from collections.abc import Iterable

from zerosum.interference.labelled import QuantityOverTraining, StoreFindings
from zerosum.show.report import Report
from zerosum.show.table import Column, Table

TITLE = "Ranks of labels"
PLACE = 47


def absent(report: Report) -> str | None:
    return None if ranks(report) else ""


def ranks(report: Report) -> list[tuple[str, QuantityOverTraining]]:
    pairs = [(label, record) for label, findings in report.each(StoreFindings) for record in findings.quantities]
    return [(label, record) for label, record in pairs if record.name == "rank"]


def sentences(report: Report) -> Iterable[str]:
    for label, record in ranks(report):
        yield f"Mean rank of the label in {label}: {record.means[-1].value:.1f} at step {record.steps[-1]}."


def tables(report: Report) -> list[Table]:
    columns = (Column("run"), Column("rank", "mean rank", interval=True))
    return [Table("ranks", "Ranks", columns, tuple((label, record.means[-1]) for label, record in ranks(report)))]
