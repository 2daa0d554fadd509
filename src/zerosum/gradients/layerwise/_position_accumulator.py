"""An accumulator for what each position contributes to the gradient of a summed loss.

Letters: S sequences, n positions, o and i outputs and inputs of a matrix.
"""

from collections.abc import Sequence
from typing import Any

import torch

from zerosum.gradients.layerwise._accumulators import MassAccumulator
from zerosum.gradients.layerwise._pieces import Dense, Piece, Product, Rows, Unsupported, gradients_in


class PositionAccumulator(MassAccumulator):
    """mass: name -> sum over positions of |contribution|. positions: n."""

    positions = 0

    @classmethod
    def into(cls, other: MassAccumulator, positions: int) -> "PositionAccumulator":
        """An accumulator that adds to the sums of another one, and uses its tally."""
        made = cls([], other.tally)
        made.mass, made.shapes, made.dtypes, made.positions = other.mass, other.shapes, other.dtypes, positions
        return made

    def product(self, name: str, part: Product) -> None:
        if part.rows.shape[1] == self.positions:
            self.rank_one(name, part.rows, part.columns)
        else:
            self.together(name, [part])

    def dense(self, name: str, part: Dense) -> None:
        values = part.values
        self.whole(name, values.unflatten(1, (self.positions, -1)).sum(2, dtype=self.dtypes[name]))

    def rows(self, name: str, part: Rows, beside: Any) -> None:
        if self.tally is not None:
            raise Unsupported("an embedding behind the last attention")
        sizes = part.values.abs() if beside is None else (beside + part.values).abs() - beside.abs()
        self._add_rows(name, part.ids, sizes)

    def together(self, name: str, pieces: Sequence[Piece]) -> None:
        for s in range(len(gradients_in(pieces[0]))):
            for t in range(self.positions):
                super().together(name, [_at(piece, s, t, self.positions) for piece in pieces])


def _at(part: Piece, s: int, t: int, positions: int) -> Piece:
    """The part of a piece that comes from one position of one sequence."""

    def of(x: Any) -> Any:
        return x[s : s + 1].unflatten(1, (positions, -1))[:, t]

    if isinstance(part, Product):
        return Product(of(part.rows), of(part.columns))
    if isinstance(part, Rows):
        return Rows(of(part.ids), of(part.values), torch.zeros_like(of(part.places)))
    return Dense(of(part.values))
