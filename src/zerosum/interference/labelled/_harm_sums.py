"""Accumulator for the cells of a harm matrix: sums of the changes of every row, by column and resampling unit.

Letters: S held-out sequences of T predicted tokens, K groups, B batches, U units.
"""

from collections import defaultdict
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, Int, Shaped

from zerosum.estimate import Estimate
from zerosum.interference._crossed import over_texts_and_batches
from zerosum.interference._groups import sums_by_group
from zerosum.interference._measure import summarize
from zerosum.interference._sums import InterferenceSums
from zerosum.interference.labelled._change import choose_units
from zerosum.interference.labelled._harm_matrix import HarmCell, HarmRow, RowKind
from zerosum.interference.labelled._measure import GROUP_DRAWS

OfBatches = dict[int, InterferenceSums]
"""Sums of a cell by the number of the batch; every batch has the same units."""


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
    """What was added of one row: the sums of each batch, by column."""

    cells: dict[int, OfBatches] = field(default_factory=lambda: defaultdict(dict))

    def add(self, x: Float[np.ndarray, "S T"], columns: Columns, batch: int) -> None:
        """Add the changes of one batch, nats; the column of all tokens is the last."""
        known = columns.code >= 0
        for code, sums in sums_by_group(x, columns.code, columns.unit, known).items():
            self.cells[int(code)][batch] = sums
        self.cells[columns.n_groups][batch] = InterferenceSums.of(x, columns.whole, known)

    def row(self, kind: RowKind, name: str, n_groups: int, seed: int) -> HarmRow:
        """The row with its intervals."""
        columns = range(n_groups + 1)
        return HarmRow(kind, name, tuple(_cell(self.cells.get(column, {}), seed) for column in columns))


def _cell(batches: OfBatches, seed: int) -> HarmCell | None:
    if not batches:
        return None
    measured = summarize(InterferenceSums.merge(batches.values()), draws=GROUP_DRAWS, seed=seed)
    mean = Estimate(measured.delta_L, N=measured.N, of="changes of tokens", unit="nats per token")
    if measured.interval is None:
        mean = replace(mean, reason=measured.interval_reason or "not given")
    else:
        mean = over_texts_and_batches(mean, measured.interval.delta_L, influence_on_mean(batches))
    return HarmCell(measured, mean, tuple(sums.delta_L for sums in batches.values()))


def influence_on_mean(batches: OfBatches) -> Float[np.ndarray, "B U"]:
    """How far each unit in each batch moves the mean change of a cell, to first order; nats per token."""
    parts = list(batches.values())
    net, count = np.stack([sums.net for sums in parts]), parts[0].count
    moved: Float[np.ndarray, "B U"] = (net - net.sum() / (len(parts) * count.sum()) * count) / count.sum()
    return moved
