"""Collects the gradient pieces that layers see in a backward pass, and gives them to an accumulator.

Letters: S sequences (one token of each per backward pass), n rows (positions), o and i outputs and inputs of a matrix.
"""

from collections.abc import Sequence
from typing import Any

import torch

from zerosum.gradients.layerwise._pieces import Accumulator, Dense, HeadGradients, Piece, Product, Rows, Unsupported
from zerosum.gradients.parameters import Parameter


class Recorder:
    """Gives the pieces that layers see to an `Accumulator`; those of a parameter used more than once together.

    accumulator: receives the pieces. sequences: S. positions: n of the forward pass. head: name -> gradients of a
    matrix that is the head, too.
    """

    def __init__(self, parameters: Sequence[Parameter], sequences: int) -> None:
        self.sequences = sequences
        self.positions = 0
        self.accumulator: Accumulator | None = None
        self.head: dict[str, HeadGradients] = {}
        self._names = {id(parameter.tensor): parameter.name for parameter in parameters}
        self._uses = dict.fromkeys(self._names.values(), 0)
        self._waiting: dict[str, list[Piece]] = {}
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
        """The next backward pass is of one token of each sequence. at: [S] position of that token."""
        same = len(set(at)) == 1
        self._own = (slice(None), at[0]) if same else (list(range(len(at))), at)
        self._stops = [k + 1 for k in at]

    def of_all_tokens(self) -> None:
        """The next backward pass is of several tokens of each sequence together."""
        self._own = self._stops = None

    def by_sequence(self, x: Any) -> Any:
        """[S, ..., d] or [S n, d] -> [S, n, d]. Raises Unsupported for rows that are not one a position."""
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
        """The backward pass is over: pass on the pieces of parameters that are used more than once."""
        with torch.no_grad():
            for name, pieces in self._waiting.items():
                if name in self.head:
                    raise Unsupported("an embedding used twice whose matrix is the head, too")
                self._receiver.together(name, pieces)
        self._waiting.clear()

    @property
    def _receiver(self) -> Accumulator:
        if self.accumulator is None:
            raise AssertionError("no accumulator was set before the backward pass")
        return self.accumulator

    def _add(self, name: str, part: Piece) -> None:
        if self._uses[name] > 1:
            self._waiting.setdefault(name, []).append(part)
        elif isinstance(part, Rows) and (head := self.head.get(name)) is not None:
            self._receiver.add(name, part, head.at(part.ids))
        else:
            self._receiver.add(name, part)
