"""Tables of what the live monitor measured beside D and M, where it was asked for."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from zerosum.runs import MonitorLog
from zerosum.show import numbers as n
from zerosum.show.table import Column, Table


@dataclass(frozen=True)
class Asked:
    """A table: its name, caption and legend, and its columns, by the names that the monitor logs."""

    name: str
    caption: str
    legend: str
    columns: tuple[Column, ...]


TABLES = (
    Asked(
        "monitor-groups",
        "Cancelling between and inside groups of tokens",
        "C_between, C_within: 1 - D between groups and inside them; their product is 1 - D of all tokens.",
        (
            Column("C_between_step", "C_between", "one update", n.D),
            Column("C_within_step", "C_within", "one update", n.D),
            Column("C_between_double", "C_between", "t/2 to t", n.D),
            Column("C_within_double", "C_within", "t/2 to t", n.D),
        ),
    ),
    Asked(
        "monitor-gradients",
        "First order: gradients of held-out tokens along the update",
        "C_g: do tokens agree, coordinate by coordinate; C_g C_uG / C_ug is 1 - D of the first-order changes.",
        tuple(Column(name, form=n.D) for name in ("C_g", "C_ug", "C_uG")),
    ),
    Asked(
        "monitor-micro-batches",
        "Gradients of the micro-batches of an update",
        "in conflict: share of pairs with a negative product, 50 % by chance; noise scale: tokens of a batch whose "
        "noise is as large as its gradient.",
        (
            Column("micro_cosine", "mean cosine", form=n.D),
            Column("conflict_rate", "in conflict", "%", n.PERCENT),
            Column("noise_scale", "noise scale", "tokens"),
        ),
    ),
)


def asked_tables(log: MonitorLog) -> Iterator[Table]:
    """Those with numbers: a row for each step that has any of them, and the columns that any step has."""
    for asked in TABLES:
        columns = [column for column in asked.columns if math.isfinite(log.latest(column.name))]
        rows = [(step.step, *(step.values.get(column.name, math.nan) for column in columns)) for step in log.steps]
        measured = tuple(row for row in rows if any(map(math.isfinite, row[1:])))
        if measured:
            yield Table(asked.name, asked.caption, (Column("step"), *columns), measured, asked.legend)
