"""Accumulators for the gradient pieces seen in a backward pass: sum_i g_ij, or sum_i |g_ij|.

Per-token gradients of whole matrices exist one at a time, in a buffer that stays in the processor's cache.

Letters: S sequences, n rows of each (positions), o and i outputs and inputs of a matrix; i token, j coordinate.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch

from zerosum.gradients.layerwise._per_token import Formed, Tally
from zerosum.gradients.layerwise._pieces import Accumulator, Dense, Piece, Product, Rows, gradients_in
from zerosum.gradients.parameters import Parameter

# Numbers of the gradients of all sequences together that are formed at once: on a CPU those that still fit in its
# cache, half a megabyte; on a GPU 256 MiB, because there each operation takes as long as a million numbers.
SMALL = {"cpu": 1 << 17, "cuda": 1 << 26}
TILE = 1 << 18  # numbers of a matrix that are formed at a time, a megabyte
TALLIED = 1 << 17  # the same where updates have to fit in the cache, too


class NetAccumulator(Accumulator):
    """net: name -> sum_i g_ij, in the model's precision."""

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self.net = {parameter.name: torch.zeros_like(parameter.tensor.detach()) for parameter in parameters}

    def add(self, name: str, piece: Piece, beside: Any = None) -> None:
        net = self.net[name]
        if isinstance(piece, Product):
            self.head(name, None, piece.rows, piece.columns)
        elif isinstance(piece, Rows):
            net.index_add_(0, piece.ids.flatten(), piece.values.flatten(0, 1))
        else:
            net += piece.values.sum((0, 1), dtype=net.dtype)

    def together(self, name: str, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            self.add(name, piece)

    def head(self, name: str | None, bias: str | None, rows: Any, columns: Any) -> None:
        """Of a head and its bias, where they are trained. rows: [S, n, o]. columns: [S, n, i]."""
        if name is not None:
            wide = self.net[name].dtype
            self.net[name].addmm_(rows.flatten(0, 1).T.to(wide), columns.flatten(0, 1).to(wide))
        if bias is not None:
            self.net[bias] += rows.sum((0, 1))


class Both(Accumulator):
    """Passes each piece on to two accumulators."""

    def __init__(self, first: Accumulator, second: Accumulator) -> None:
        self._accumulators = (first, second)

    def add(self, name: str, piece: Piece, beside: Any = None) -> None:
        for accumulator in self._accumulators:
            accumulator.add(name, piece, beside)

    def together(self, name: str, pieces: Sequence[Piece]) -> None:
        for accumulator in self._accumulators:
            accumulator.together(name, pieces)


class MassAccumulator(Accumulator):
    """mass: name -> sum_i |g_ij|, in the model's precision. tally: receives every token's gradient, too."""

    def __init__(self, parameters: Sequence[Parameter], tally: Tally | None = None) -> None:
        self.tally = tally
        self.shapes = {parameter.name: parameter.tensor.shape for parameter in parameters}
        self.dtypes = {parameter.name: parameter.tensor.dtype for parameter in parameters}
        self.mass = {parameter.name: torch.zeros_like(parameter.tensor.detach()) for parameter in parameters}
        self._buffer = torch.empty(0)

    def add(self, name: str, piece: Piece, beside: Any = None) -> None:
        if isinstance(piece, Product):
            self.product(name, piece)
        elif isinstance(piece, Rows):
            self.rows(name, piece, beside)
        else:
            self.dense(name, piece)

    def product(self, name: str, part: Product) -> None:
        """Add a piece of a matrix's gradient."""
        if part.rows.shape[1] == 1:
            self.rank_one(name, part.rows, part.columns)
        elif self.shapes[name].numel() * len(part.rows) <= SMALL.get(part.rows.device.type, SMALL["cpu"]):
            self.whole(name, torch.bmm(part.rows.transpose(1, 2), part.columns)[:, None])
        else:
            for tile in self._tiles(self.shapes[name]):
                self._form(name, tile, part)

    def rank_one(self, name: str, rows: Any, columns: Any) -> None:
        """Gradients of several tokens that are outer products. rows: [S, n, o]. columns: [S, n, i]."""
        rows, columns = rows.to(self.dtypes[name]), columns.to(self.dtypes[name])
        if self.tally is not None:
            self.tally.rank_one(name, rows, columns)
        self.add_rank_one(name, rows.flatten(0, 1).abs(), columns.flatten(0, 1).abs())

    def whole(self, name: str, gradients: Any) -> None:
        """Whole gradients of several tokens. gradients: [S, n, *shape]."""
        gradients = gradients.to(self.dtypes[name])
        if self.tally is not None:
            self.tally.whole(name, gradients)
        self._add_whole(name, gradients.flatten(0, 1).abs())

    def rows(self, name: str, part: Rows, beside: Any) -> None:
        """Add a piece of an embedding's gradient.

        Where a head is the same matrix its |g| is already in the sums; the rows then add |head + rows| - |head|.
        """
        values = part.by_id()
        if self.tally is not None:
            self.tally.rows(name, part.ids, values, beside)
        sizes = values.abs() if beside is None else (beside + values).abs() - beside.abs()
        self._add_rows(name, part.ids, sizes)

    def dense(self, name: str, part: Dense) -> None:
        """Add a piece of a vector's gradient."""
        self.whole(name, part.values.sum(1, keepdim=True, dtype=self.dtypes[name]))

    def together(self, name: str, pieces: Sequence[Piece]) -> None:
        whole, sequences = slice(0, self.shapes[name][0]), len(gradients_in(pieces[0]))
        self._add_formed(name, whole, (self._sum(name, pieces, s) for s in range(sequences)), sequences)

    def _sum(self, name: str, parts: Sequence[Piece], s: int) -> Any:
        """The gradient of sequence s's token from the parts of all uses."""
        wide = self.dtypes[name]
        total = gradients_in(parts[0]).new_zeros(self.shapes[name], dtype=wide)
        for part in parts:
            if isinstance(part, Product):
                total.addmm_(part.rows[s].T.to(wide), part.columns[s].to(wide))
            elif isinstance(part, Rows):
                total.index_add_(0, part.ids[s], part.values[s])
            else:
                total += part.values[s].sum(0, dtype=wide)
        return total

    def _form(self, name: str, tile: slice, part: Product) -> None:
        """The gradients of some rows of a matrix, token by token."""
        buffer = self._room(tile.stop - tile.start, part.columns)
        formed = (torch.mm(rows, columns, out=buffer) for rows, columns in part.each(tile))
        self._add_formed(name, tile, formed, len(part.rows))

    def _add_formed(self, name: str, tile: slice, gradients: Iterable[Any], sequences: int) -> None:
        """gradients: of one sequence's token after the other, each to be used before the next one is made."""
        tally = None if self.tally is None else Formed(self.tally, name, tile)
        for gradient, (total, weight) in zip(gradients, self._into(name, tile, sequences), strict=True):
            size = gradient.abs_() if tally is None else tally.add(gradient.to(self.dtypes[name]))
            if total is not None:
                total.add_(size, alpha=weight)
        if tally is not None:
            tally.done()

    def _into(self, name: str, tile: slice, sequences: int) -> list[tuple[Any, float]]:
        """What each sequence's |g| goes into, if anything, and what it is multiplied by."""
        return [(self.mass[name][tile], 1.0)] * sequences

    def add_rank_one(self, name: str, rows: Any, columns: Any) -> None:
        """rows: [tokens, o]. columns: [tokens, i]. Both absolute; they go into the sums alone, not into the tally."""
        self.mass[name].addmm_(rows.T, columns)

    def _add_whole(self, name: str, sizes: Any) -> None:
        """sizes: [tokens, *shape]."""
        self.mass[name] += sizes.sum(0)

    def _add_rows(self, name: str, ids: Any, sizes: Any) -> None:
        """ids: [S, n]. sizes: [S, n, d]."""
        self.mass[name].index_add_(0, ids.flatten(), sizes.flatten(0, 1))

    def _tiles(self, shape: Any) -> Iterator[slice]:
        size = max(1, (TILE if self.tally is None else TALLIED) // shape[1])
        for start in range(0, shape[0], size):
            yield slice(start, min(start + size, shape[0]))

    def _room(self, rows: int, like: Any) -> Any:
        """A buffer of that many rows, for products with columns `like`; its content does not matter."""
        numbers = rows * like.shape[2]
        if self._buffer.numel() < numbers or self._buffer.dtype != like.dtype or self._buffer.device != like.device:
            self._buffer = torch.empty(numbers, dtype=like.dtype, device=like.device)
        return self._buffer[:numbers].view(rows, -1)
