"""Gradient pieces that layers see in a backward pass, and what an accumulator of them has to do.

Letters: S sequences (one token of each per backward pass), n rows (positions), o and i outputs and inputs of a matrix.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch


class Unsupported(Exception):
    """This model is not made in a way that the layer rules know; the general path takes it."""


@dataclass
class Product:
    """The gradient rows^T x columns of each sequence. rows: [S, n, o]. columns: [S, n, i].

    stops: of each sequence, how many of its first rows have a gradient at all; None: all.
    """

    rows: Any
    columns: Any
    stops: list[int] | None = None

    def each(self, tile: slice) -> Iterator[tuple[Any, Any]]:
        """Left factor (some of its rows, transposed) and right factor of the product, sequence by sequence."""
        rows, columns, stops = self.rows.transpose(1, 2), self.columns, self.stops
        if tile.stop - tile.start < rows.shape[1]:
            rows = rows[:, tile]
        if stops is not None and min(stops) == max(stops):
            rows, columns, stops = rows[:, :, : stops[0]], columns[:, : stops[0]], None
        pairs = zip(rows.unbind(0), columns.unbind(0), strict=True)
        if stops is None:
            return pairs
        return ((row[:, :stop], column[:stop]) for stop, (row, column) in zip(stops, pairs, strict=True))


@dataclass
class Rows:
    """Gradients of rows of an embedding. ids: [S, n]. values: [S, n, d], one at each place of an id.

    places: [S, n] first place of the same id.
    """

    ids: Any
    values: Any
    places: Any

    def by_id(self) -> Any:
        """[S, n, d]: the values of each id, summed at its first place; 0 at its other places."""
        return torch.zeros_like(self.values).scatter_add_(1, self.places[..., None].expand_as(self.values), self.values)


@dataclass
class Dense:
    """The gradient of a vector as terms that add up over n. values: [S, n, d]."""

    values: Any


Piece = Product | Rows | Dense


def gradients_in(piece: Piece) -> Any:
    """The gradients that a piece holds, [S, ...]."""
    return piece.rows if isinstance(piece, Product) else piece.values


@dataclass
class HeadGradients:
    """A head's gradients of some tokens, each of rank one: rows x hidden, rows = softmax - label.

    hidden: [S, n, d]. weight: [V, d]. bias: [V] or None. normaliser: [S, n] log of the sum of exponentials. labels:
    [S, n]. n: 1 where ids are those of one token's prefix, else as many as there are ids.
    """

    hidden: Any
    weight: Any
    bias: Any
    normaliser: Any
    labels: Any

    def at(self, ids: Any) -> Any:
        """The gradients of one row of the head for each id. ids: [S, n]. Returns [S, n, d]."""
        logits = (self.weight[ids] * self.hidden).sum(-1)
        logits = logits if self.bias is None else logits + self.bias[ids]
        rows = (logits - self.normaliser).exp() - (ids == self.labels).to(logits)
        return rows[..., None] * self.hidden


class Accumulator(ABC):
    """Receives each gradient piece exactly once and adds it up."""

    @abstractmethod
    def add(self, name: str, piece: Piece, beside: Any = None) -> None:
        """Add the piece of a parameter that is used once.

        beside: of `Rows`, [S, n, d] gradient of the head in these rows, where the head is the same matrix.
        """

    @abstractmethod
    def together(self, name: str, pieces: Sequence[Piece]) -> None:
        """Add the pieces of all uses of a parameter that is used more than once."""
