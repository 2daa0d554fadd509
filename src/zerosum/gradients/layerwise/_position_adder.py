"""Adds up what each position contributes to the gradient of a summed loss, as the layers see it.

Letters: S sequences, n positions, o and i outputs and inputs of a matrix.
"""

from collections.abc import Sequence
from typing import Any

import torch

from zerosum.gradients.layerwise._adders import MassAdder
from zerosum.gradients.layerwise._recorder import Dense, Part, Product, Rows, Unsupported


class PositionAdder(MassAdder):
    """mass: name -> sum over positions of |contribution|. positions: n."""

    positions = 0

    @classmethod
    def into(cls, other: MassAdder, positions: int) -> "PositionAdder":
        """Adds to the sums of another adder, and tells its tally."""
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

    def together(self, name: str, parts: Sequence[Part]) -> None:
        for s in range(len(parts[0].like)):
            for t in range(self.positions):
                super().together(name, [_at(part, s, t, self.positions) for part in parts])


def _at(part: Part, s: int, t: int, positions: int) -> Part:
    """What is of one position of one sequence."""

    def of(x: Any) -> Any:
        return x[s : s + 1].unflatten(1, (positions, -1))[:, t]

    if isinstance(part, Product):
        return Product(of(part.rows), of(part.columns))
    if isinstance(part, Rows):
        return Rows(of(part.ids), of(part.values), torch.zeros_like(of(part.places)))
    return Dense(of(part.values))
