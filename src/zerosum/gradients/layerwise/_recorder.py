"""What layers see in the backward pass of one token of each sequence, handed on to whoever adds it up.

Letters: S sequences (one token of each per backward pass), n rows (positions), o and i outputs and inputs of a matrix.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from zerosum.gradients.parameters import Parameter

if TYPE_CHECKING:
    from zerosum.gradients.layerwise._adders import Adder


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

    @property
    def like(self) -> Any:
        """[S, ...] on the device of the gradients."""
        return self.rows

    def each(self, tile: slice) -> Iterator[tuple[Any, Any]]:
        """Some rows of the product's left factor, turned, and its right factor, of one sequence after the other."""
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
    """Gradients of rows of an embedding. ids: [S, n]. values: [S, n, d], of each place where an id stands.

    places: [S, n] where the same id stands first.
    """

    ids: Any
    values: Any
    places: Any

    @property
    def like(self) -> Any:
        """[S, ...] on the device of the gradients."""
        return self.values

    def by_id(self) -> Any:
        """[S, n, d] with all values of an id added up in its first place, 0 in the others."""
        return torch.zeros_like(self.values).scatter_add_(1, self.places[..., None].expand_as(self.values), self.values)


@dataclass
class Dense:
    """The gradient of a vector, in parts that add up over n. values: [S, n, d]."""

    values: Any

    @property
    def like(self) -> Any:
        """[S, ...] on the device of the gradients."""
        return self.values


Part = Product | Rows | Dense


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


class Recorder:
    """Between the layers and an `Adder`. Parts of a parameter that is used more than once are handed on together.

    to: whom. sequences: S. positions: n of the forward pass. head: name -> of a matrix that is the head, too.
    """

    def __init__(self, parameters: Sequence[Parameter], sequences: int) -> None:
        self.sequences = sequences
        self.positions = 0
        self.to: Adder | None = None
        self.head: dict[str, HeadGradients] = {}
        self._names = {id(one.tensor): one.name for one in parameters}
        self._uses = {one.name: 0 for one in parameters}
        self._waiting: dict[str, list[Part]] = {}
        self._reaching_back: set[Any] = set()
        self._own: Any = None
        self._stops: list[int] | None = None

    def name(self, tensor: Any) -> str | None:
        """Name of a trainable parameter, None of anything else."""
        return self._names.get(id(tensor))

    def used(self, *tensors: Any) -> None:
        """Count one use of each parameter in the forward pass."""
        for tensor in tensors:
            if tensor is not None and (name := self.name(tensor)) is not None:
                self._uses[name] += 1

    def begin(self, positions: int) -> None:
        """A new forward pass over so many positions begins."""
        self.positions = positions
        self._uses = dict.fromkeys(self._uses, 0)

    def of_one_token(self, at: list[int]) -> None:
        """The backward pass that comes next is of one token of each sequence. at: [S] its position."""
        same = len(set(at)) == 1
        self._own = (slice(None), at[0]) if same else (list(range(len(at))), at)
        self._stops = [k + 1 for k in at]

    def of_all_tokens(self) -> None:
        """The backward pass that comes next is of several tokens of each sequence together."""
        self._own = self._stops = None

    def by_sequence(self, x: Any) -> Any:
        """[S, ..., d] or [S n, d] -> [S, n, d]. Raises Unsupported for rows that do not stand for positions."""
        by_row = x.ndim == 2 and x.shape[0] % (self.sequences * self.positions) == 0
        if by_row or (x.ndim > 2 and x.shape[0] == self.sequences):
            return x.reshape(self.sequences, -1, x.shape[-1])
        raise Unsupported(f"a layer whose input of shape {tuple(x.shape)} does not keep sequences apart")

    def own_row(self, gradient: Any, layer: Any) -> Any:
        """Index of the row of each sequence's own token where no other one has a gradient; else None.

        gradient: [S, n, ...]. A layer once seen to reach back to other positions is taken to do so always, which is
        never wrong and saves looking.
        """
        by_position = gradient.shape[:2] == (self.sequences, self.positions)
        if self._own is None or layer in self._reaching_back or not by_position:
            return None
        if int(gradient.count_nonzero() - gradient[self._own].count_nonzero()):
            self._reaching_back.add(layer)
            return None
        return self._own

    def back(self, gradient: Any, matrix: Any) -> Any:
        """gradient @ matrix, rows behind the last token's left out. gradient: [S, n, o], or whatever the layer has."""
        stop = self.positions if self._stops is None else max(self._stops)
        if gradient.shape[:2] != (self.sequences, self.positions) or gradient.ndim != 3 or stop == self.positions:
            return gradient @ matrix
        back = gradient.new_empty(*gradient.shape[:2], matrix.shape[1])
        back[:, stop:] = 0
        torch.bmm(gradient[:, :stop], matrix.expand(self.sequences, -1, -1), out=back[:, :stop])
        return back

    def product(self, tensor: Any, given: Any, inputs: Any, own: Any, turned: bool = False) -> None:
        """The gradient of a matrix. given, inputs: [S, n, o] and [S, n, i]. own: as from `own_row`."""
        if (name := self.name(tensor)) is None:
            return
        stops = self._stops if given.shape[1] == self.positions else None
        if own is not None:
            given, inputs, stops = given[own][:, None], inputs[own][:, None], None
        self._add(name, Product(inputs, given, stops) if turned else Product(given, inputs, stops))

    def vector(self, tensor: Any, values: Any) -> None:
        """The gradient of a vector, such as a bias. values: [S, n, d], to be added up over n."""
        if tensor is not None and (name := self.name(tensor)) is not None:
            self._add(name, Dense(values))

    def rows(self, tensor: Any, ids: Any, values: Any, places: Any) -> None:
        """The gradient of an embedding. ids, values, places: as of `Rows`."""
        if (name := self.name(tensor)) is not None:
            self._add(name, Rows(ids, values, places))

    def finish_pass(self) -> None:
        """All layers of this pass have been heard: hand on what shared parameters got."""
        with torch.no_grad():
            for name, parts in self._waiting.items():
                if name in self.head:
                    raise Unsupported("an embedding used twice whose matrix is the head, too")
                self._adder.together(name, parts)
        self._waiting.clear()

    @property
    def _adder(self) -> "Adder":
        if self.to is None:
            raise AssertionError("nobody adds up what the layers see")
        return self.to

    def _add(self, name: str, part: Part) -> None:
        if self._uses[name] > 1:
            self._waiting.setdefault(name, []).append(part)
        elif isinstance(part, Product):
            self._adder.product(name, part)
        elif isinstance(part, Dense):
            self._adder.dense(name, part)
        else:
            head = self.head.get(name)
            self._adder.rows(name, part, None if head is None else head.at(part.ids))
