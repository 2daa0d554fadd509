"""Sums of g_ij and |g_ij| from what layers see in the backward pass of one token of each sequence.

Per-token gradients of whole matrices exist one at a time, in a buffer that stays in the processor's cache.

Letters: S sequences (one token of each per backward pass), n rows (positions), o and i outputs and inputs of a matrix,
U distinct ids, k the token's position.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from zerosum.gradients._parameters import Parameter
from zerosum.gradients._per_token import Tally

SMALL = 1 << 17  # numbers: gradients of all sequences together that still fit in the cache, half a megabyte


class Unsupported(Exception):
    """This model is not made in a way that the layer rules know; the general path takes it."""


@dataclass
class Product:
    """The gradient rows^T x columns of each sequence. rows: [S, n, o]. columns: [S, n, i]."""

    rows: Any
    columns: Any

    def add_to(self, out: Any, s: int) -> None:
        """Add the gradient of sequence s to `out` of [o, i]."""
        out.addmm_(self.rows[s].T, self.columns[s])


@dataclass
class Rows:
    """Gradients of rows of an embedding. ids: [S, U]. values: [S, U, d]; ids that repeat have values of 0."""

    ids: Any
    values: Any

    def add_to(self, out: Any, s: int) -> None:
        """Add the gradient of sequence s to `out` of [V, d]."""
        out.index_add_(0, self.ids[s], self.values[s])


@dataclass
class Dense:
    """The gradient of each sequence as it is. values: [S, *shape]."""

    values: Any

    def add_to(self, out: Any, s: int) -> None:
        """Add the gradient of sequence s to `out`."""
        out += self.values[s]


Part = Product | Rows | Dense


class Recorder:
    """Collects sum_i g_ij and sum_i |g_ij|. A parameter used once is added up at once, others when the pass is over.

    net, mass: name -> sums so far, in the model's precision; `take` moves them to float64 before they grow.
    positions, position: of the forward pass, and the token's own, 0, 1, ...
    head: name -> the rank-one gradients of this pass by a head that is apart, for an embedding tied to it.
    tally: hears of every token's gradient, too.
    """

    def __init__(self, parameters: Sequence[Parameter], sequences: int, tally: Tally | None = None) -> None:
        import torch

        self.tally = tally
        self.sequences = sequences
        self.tensors = {one.name: one.tensor.detach() for one in parameters}
        self.names = {id(one.tensor): one.name for one in parameters}
        self.net = {one.name: torch.zeros_like(one.tensor) for one in parameters}
        self.mass = {one.name: torch.zeros_like(one.tensor) for one in parameters}
        self.uses = dict.fromkeys(self.tensors, 0)
        self.head: dict[str, Product] = {}
        self.positions = self.position = 0
        self.reaching_back: set[Any] = set()
        self._waiting: dict[str, list[Part]] = {}
        self._buffers: dict[Any, Any] = {}

    def name(self, tensor: Any) -> str | None:
        """Name of a trainable parameter, None of anything else."""
        return self.names.get(id(tensor))

    def used(self, *tensors: Any) -> None:
        """Count one use of each parameter in the forward pass."""
        for tensor in tensors:
            if tensor is not None and (name := self.name(tensor)) is not None:
                self.uses[name] += 1

    def begin(self, positions: int) -> None:
        """A new forward pass over so many positions begins."""
        self.positions = positions
        self.uses = dict.fromkeys(self.uses, 0)

    def of_tokens(self, columns: list[int]) -> None:
        """Which tokens of each sequence the gradients that come next are of."""
        if self.tally is not None:
            self.tally.of_tokens(columns)

    def add(self, name: str, part: Part) -> None:
        """One layer's part of the gradients of this pass."""
        if self.uses[name] > 1:
            self._waiting.setdefault(name, []).append(part)
        else:
            self._add_alone(name, part)

    def finish_pass(self) -> None:
        """All layers of this pass have been heard: add up what shared parameters got."""
        import torch

        with torch.no_grad():
            for name, parts in self._waiting.items():
                self._add_sum(name, parts)
        self._waiting.clear()

    def add_rank_one(self, name: str, part: Product) -> None:
        """Rank-one gradients, each row of `part` another token. rows: [S, n, o]. columns: [S, n, i]."""
        if self.tally is not None:
            self.tally.rank_one(name, part.rows, part.columns)
        self._sum_rank_one(name, part.rows.flatten(0, 1), part.columns.flatten(0, 1))

    def add_whole(self, name: str, gradients: Any) -> None:
        """Whole gradients, each of another token: of a vector, or of a small matrix. gradients: [S, n, *shape]."""
        if self.tally is not None:
            self.tally.whole(name, gradients)
        self._sum_whole(name, gradients.flatten(0, 1))

    def take(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """net and mass in float64; those kept here start again from 0."""
        import torch

        taken = []
        for sums in (self.net, self.mass):
            taken.append({name: value.to(torch.float64, copy=True) for name, value in sums.items()})
            for value in sums.values():
                value.zero_()
        return taken[0], taken[1]

    def _add_alone(self, name: str, part: Part) -> None:
        if isinstance(part, Dense):
            self.add_whole(name, part.values[:, None])
        elif isinstance(part, Rows):
            self._add_rows(name, part)
        elif part.rows.shape[1] == 1:
            self.add_rank_one(name, part)
        else:
            self._add_products(name, part)

    def _add_rows(self, name: str, part: Rows) -> None:
        beside = self._beside(name, part) if name in self.head else None
        if self.tally is not None:
            self.tally.rows(name, part.ids, part.values, beside)
        sizes = part.values.abs() if beside is None else (beside + part.values).abs() - beside.abs()
        self._sum_rows(name, part, sizes)

    def _beside(self, name: str, part: Rows) -> Any:
        """What the rows of a tied embedding have in the head's gradients, whose |g| is there already: [S, U, d]."""
        head = self.head[name]
        return head.rows[:, 0].gather(1, part.ids)[:, :, None] * head.columns

    def _add_products(self, name: str, part: Product) -> None:
        import torch

        if self.tensors[name].numel() * self.sequences <= SMALL:
            self.add_whole(name, torch.bmm(part.rows.transpose(1, 2), part.columns)[:, None])
            return
        buffer = self._buffer(name)
        for s in range(self.sequences):
            torch.mm(part.rows[s].T, part.columns[s], out=buffer)
            self._add_token(name, s, buffer)

    def _add_sum(self, name: str, parts: Iterable[Part]) -> None:
        buffer = self._buffer(name)
        for s in range(self.sequences):
            buffer.zero_()
            for part in parts:
                part.add_to(buffer, s)
            self._add_token(name, s, buffer)

    def _add_token(self, name: str, s: int, gradient: Any) -> None:
        """The whole gradient of sequence s's token. gradient: a buffer that may be written to."""
        if self.tally is not None:
            self.tally.one(name, s, gradient)
        self._sum_token(name, s, gradient)

    def _sum_whole(self, name: str, gradients: Any) -> None:
        """gradients: [n, *shape]."""
        self.net[name] += gradients.sum(0)
        self.mass[name] += gradients.abs().sum(0)

    def _sum_rank_one(self, name: str, rows: Any, columns: Any) -> None:
        """rows: [n, o]. columns: [n, i]."""
        self.net[name].addmm_(rows.T, columns)
        self.mass[name].addmm_(rows.abs().T, columns.abs())

    def _sum_rows(self, name: str, part: Rows, sizes: Any) -> None:
        """sizes: [S, U, d] what these rows add to |g|."""
        ids = part.ids.flatten()
        self.net[name].index_add_(0, ids, part.values.flatten(0, 1))
        self.mass[name].index_add_(0, ids, sizes.flatten(0, 1))

    def _sum_token(self, name: str, s: int, gradient: Any) -> None:
        self.net[name].add_(gradient)
        self.mass[name].add_(gradient.abs_())

    def _buffer(self, name: str) -> Any:
        import torch

        like = self.tensors[name]
        if like.shape not in self._buffers:
            self._buffers[like.shape] = torch.empty_like(like)
        return self._buffers[like.shape]
