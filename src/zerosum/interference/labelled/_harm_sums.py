"""Accumulator for the cells of a harm matrix: sums of the changes of every row, by column and resampling unit.

Letters: S held-out sequences of T predicted tokens, K groups, U units.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int, Shaped

from zerosum.estimate import Estimate
from zerosum.interference._bootstrap import DRAWS, FEWEST_UNITS, bootstrap_t, ratio
from zerosum.interference._groups import sums_by_group
from zerosum.interference._interval import too_few_units
from zerosum.interference._measure import summarize
from zerosum.interference._sums import InterferenceSums
from zerosum.interference.labelled._change import choose_units
from zerosum.interference.labelled._harm_matrix import HarmCell, HarmRow, HarmSplit, RowKind
from zerosum.interference.labelled._measure import GROUP_DRAWS

Harm = dict[int, float]
"""Harm of a cell, sum max(x, 0) in nats, by resampling unit."""


@dataclass(frozen=True, eq=False)
class Columns:
    """The held-out tokens. code: [S, T] group of each, -1 where nothing is predicted. unit: [S, T] what is resampled:
    in each group documents where it has 20 of them, else sequences. whole: the same of all tokens together."""

    code: Int[np.ndarray, "S T"]
    unit: Int[np.ndarray, "S T"]
    whole: Int[np.ndarray, "S T"]
    n_groups: int

    @classmethod
    def of(cls, code: Int[np.ndarray, "S T"], document: Shaped[np.ndarray, "S T"], n_groups: int) -> "Columns":
        """document: number of the document of each token, negative at padding."""
        unit = np.empty(code.shape, dtype=np.int64)
        sequences = np.broadcast_to(np.arange(len(code))[:, None] + int(document.max()) + 1, code.shape)

        def units(where: Shaped[np.ndarray, "S T"]) -> Int[np.ndarray, "S T"]:
            known = choose_units(np.where(where, document, -1), len(code)).name == "document"
            return document if known else sequences

        for group in range(n_groups):
            where = code == group
            unit[where] = units(where)[where]
        return cls(code, unit, units(code >= 0).astype(np.int64), n_groups)


@dataclass
class RowSums:
    """What was added of one row: the sums of every column, and the mean change of each batch."""

    cells: dict[int, InterferenceSums] = field(default_factory=dict)
    of_batches: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, x: Float[np.ndarray, "S T"], columns: Columns) -> None:
        """Add the changes of one batch, nats; the column of all tokens is the last."""
        known = columns.code >= 0
        parts = {int(code): sums for code, sums in sums_by_group(x, columns.code, columns.unit, known).items()}
        parts[columns.n_groups] = InterferenceSums.of(x, columns.whole, known)
        for column, sums in parts.items():
            self.cells[column] = self.cells[column] + sums if column in self.cells else sums
            self.of_batches[column].append(sums.delta_L)

    def row(self, kind: RowKind, name: str, n_groups: int, seed: int) -> HarmRow:
        """The row with its intervals."""
        return HarmRow(kind, name, tuple(self._cell(column, seed) for column in range(n_groups + 1)))

    def _cell(self, column: int, seed: int) -> HarmCell | None:
        sums = self.cells.get(column)
        if sums is None:
            return None
        return HarmCell(summarize(sums, draws=GROUP_DRAWS, seed=seed), tuple(self.of_batches[column]))


def harm_split(rows: Sequence[RowSums], no_gradient: RowSums | None, n_groups: int, seed: int) -> HarmSplit:
    """Where the harm of the K rows falls. rows: in the order of the columns."""
    inside, between, rest = (defaultdict[int, float](float) for _ in range(3))
    of_cell = np.zeros((n_groups, n_groups))
    for h, row in enumerate(rows):
        for g in range(n_groups):
            harm = _harm(row, g)
            of_cell[h, g] = math.fsum(harm.values())
            _add(inside if h == g else between, harm)
    for g in range(n_groups) if no_gradient else ():
        _add(rest, _harm(no_gradient, g))
    total = of_cell.sum()
    expected = float(of_cell.sum(0) @ of_cell.sum(1) / total**2) if total > 0 else math.nan
    parts = _shares([inside, between, rest], seed)
    return HarmSplit(parts[0], parts[1], parts[2] if no_gradient else None, expected)


def _harm(row: RowSums | None, column: int) -> Harm:
    sums = None if row is None else row.cells.get(column)
    return {} if sums is None else dict(zip(sums.unit.tolist(), (sums.mass + sums.net) / 2, strict=True))


def _add(total: Harm, harm: Harm) -> None:
    for unit, value in harm.items():
        total[unit] += value


def _shares(parts: Sequence[Harm], seed: int) -> list[Estimate]:
    """Each part over the sum of all, with an interval over units."""
    units = sorted(set().union(*parts))
    sums = np.array([[part.get(unit, 0.0) for part in parts] for unit in units]).reshape(len(units), len(parts))
    sums = np.concatenate([sums, sums.sum(1, keepdims=True)], axis=1)
    total = float(sums[:, -1].sum())
    if not total > 0:
        return [Estimate(math.nan, reason="no row does any harm") for _ in parts]
    values = [float(sums[:, k].sum()) / total for k in range(len(parts))]
    if len(units) < FEWEST_UNITS:
        return [Estimate(value, reason=too_few_units(len(units))) for value in values]
    ends = bootstrap_t(sums, [ratio(k, len(parts)) for k in range(len(parts))], 0.95, DRAWS, seed)
    method = f"bootstrap-t over {len(units)} held-out texts"
    bounded = [(max(low, 0.0), min(high, 1.0)) for low, high in ends]
    return [
        Estimate(value, interval, N=len(units), of="texts", method=method)
        for value, interval in zip(values, bounded, strict=True)
    ]
