"""Tables in long form: a row for each value of each metric, `step,metric,value`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from zerosum.curves._note import Note
from zerosum.curves._table import Cells, Table
from zerosum.curves.columns import Chooser, matching
from zerosum.curves.labels import Labels, labels_of, last_part

VALUES = {"value", "metricvalue", "metric_value", "values", "scalar", "y", "number", "result", "val"}


@dataclass(frozen=True)
class LongForm:
    """A table in long form as if each metric were a column.

    value: the column of values. metrics: of each row, whose value it is.
    """

    table: Table
    value: str
    metrics: Labels

    @property
    def names(self) -> Sequence[str]:
        """The columns that are in every row, then the metrics."""
        own = [name for name in self.table.names if name not in (self.value, self.metrics.column)]
        return [*own, *(name for name in self.metrics.values if name not in own)]

    def numbers(self, axis: str, name: str) -> Float[np.ndarray, " n"]:
        """A column, or a metric: NaN in the rows of the other metrics."""
        if name in self.table.names:
            return self.table.numbers(axis, name)
        return np.where(self.metrics.rows(name), self.table.numbers(axis, self.value), np.nan)

    def cells(self, name: str) -> Cells:
        """A column as it is written; of a metric its values."""
        if name in self.table.names:
            return self.table.cells(name)
        written = self.table.cells(self.value)
        return [cell if there else None for cell, there in zip(written, self.metrics.rows(name), strict=True)]

    def rows_of(self, names: Iterable[str]) -> Bool[np.ndarray, " n"]:
        """The rows of some of the metrics."""
        codes = [self.metrics.values.index(name) for name in names if name in self.metrics.values]
        rows: Bool[np.ndarray, " n"] = np.isin(self.metrics.codes, codes)
        return rows

    def note(self, chosen: Mapping[str, str]) -> Note:
        """Which metric is the loss, and which others were not used."""
        others = [name for name in self.metrics.values if name not in chosen.values()]
        more = "; not used: " + ", ".join(repr(name[:60]) for name in others[:8]) if others else ""
        loss, column = chosen["loss"][:60], self.metrics.column[:60]
        return Note("series-chosen", f"one metric a row: the loss is that of the rows with {column!r} {loss!r}{more}")


def long_form(table: Table, choose: Chooser) -> Table:
    """The table with its metrics as columns, where it is in long form; else as it is.

    It is where no column is a loss, one of texts names a loss among others, and there is one column of values.
    """
    names = list(dict.fromkeys(table.names))
    asked = choose.overrides.get("loss")
    values = [name for name in names if last_part(name) in VALUES]
    if matching("loss", names) or asked in names or len(values) != 1 or len(names) < 3:
        return table
    for name in names:
        labels = labels_of(name, table.cells(name)) if name not in values else None
        losses = [label for label in labels.values if label == asked or matching("loss", [label])] if labels else []
        if labels and losses:
            return LongForm(table, values[0], labels)
    return table
