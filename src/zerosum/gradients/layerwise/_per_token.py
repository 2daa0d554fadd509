"""Numbers of each token: the size of its gradient, and the effect of an update on it.

Letters: S sequences, T positions (of a sample: m strata), i token, j coordinate, n tokens of each sequence at a time,
o and i outputs and inputs of a matrix; g_ij gradient of one token's loss, u_j update, p_ij = g_ij u_j.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from zerosum.gradients.parameters import Parameter


@dataclass(frozen=True)
class TokenNumbers:
    """l1: sum_j |g_ij| over every trainable parameter. l2_squared: sum_j g_ij^2. NaN of a token that was not measured.

    signed, absolute: parameter name -> sum_j p_ij and sum_j |p_ij| over its coordinates, nats; of the parameters that
    the update moves. A tied matrix is one parameter, its gradient the sum of both paths.
    """

    l1: Float[np.ndarray, "S T"]
    l2_squared: Float[np.ndarray, "S T"]
    signed: dict[str, Float[np.ndarray, "S T"]]
    absolute: dict[str, Float[np.ndarray, "S T"]]

    @classmethod
    def unknown(cls, S: int, T: int, names: Iterable[str]) -> "TokenNumbers":
        """NaN everywhere. names: of the parameters that move."""
        signed, absolute = ({name: np.full((S, T), np.nan) for name in names} for _ in range(2))
        return cls(np.full((S, T), np.nan), np.full((S, T), np.nan), signed, absolute)


class Tally:
    """Adds up the numbers of tokens from parts of their gradients; every coordinate comes in one part.

    u: name -> update on the parameter's device.
    """

    def __init__(
        self, parameters: Sequence[Parameter], shape: tuple[int, int], update: Mapping[str, Any] | None
    ) -> None:
        update = update or {}
        moved = [parameter for parameter in parameters if parameter.name in update]
        self.u = {moving.name: torch.as_tensor(update[moving.name]).detach().to(moving.tensor) for moving in moved}
        self._columns: slice | list[int] = slice(None)
        self._sequences = slice(None)
        device = parameters[0].tensor.device
        self.size = {name: u.abs() for name, u in self.u.items()}

        def empty() -> Any:
            return torch.zeros(shape, dtype=torch.float64, device=device)

        self._l1, self._l2_squared = empty(), empty()
        self._signed, self._absolute = ({name: empty() for name in self.u} for _ in range(2))

    def of_tokens(self, columns: slice | list[int], sequences: slice = slice(None)) -> None:
        """Which tokens of each sequence, or of some sequences, the parts that come next are of."""
        self._columns, self._sequences = columns, sequences

    def whole(self, name: str, gradients: Any) -> None:
        """All of one parameter's gradients. gradients: [S, n, *shape]."""
        g = gradients.reshape(*gradients.shape[:2], -1)
        self._add(self._l1, g.abs().sum(2))
        self._add(self._l2_squared, g.square().sum(2))
        if name in self.u:
            self._add(self._signed[name], g @ self.u[name].flatten())
            self._add(self._absolute[name], g.abs() @ self.size[name].flatten())

    def rank_one(self, name: str, rows: Any, columns: Any) -> None:
        """Gradients that are outer products. rows: [S, n, o]. columns: [S, n, i]."""
        self._add(self._l1, rows.abs().sum(2) * columns.abs().sum(2))
        self._add(self._l2_squared, rows.square().sum(2) * columns.square().sum(2))
        if name in self.u:
            self._add(self._signed[name], ((rows @ self.u[name]) * columns).sum(2))
            self._add(self._absolute[name], ((rows.abs() @ self.size[name]) * columns.abs()).sum(2))

    def rows(self, name: str, ids: Any, values: Any, beside: Any = None) -> None:
        """Gradients of rows of a matrix. ids: [S, U]. values: [S, U, d].

        beside: [S, U, d] what these rows have in the head's part of a tied matrix, which comes as a part of its own.
        """
        whole, there = (values, torch.zeros_like(values)) if beside is None else (beside + values, beside)
        size = whole.abs() - there.abs()
        self._add(self._l1, size.sum((1, 2))[:, None])
        self._add(self._l2_squared, (values * (whole + there)).sum((1, 2))[:, None])
        if name in self.u:
            self._add(self._signed[name], (values * self.u[name][ids]).sum((1, 2))[:, None])
            self._add(self._absolute[name], (size * self.size[name][ids]).sum((1, 2))[:, None])

    def add(self, name: str, l1: Any, l2_squared: Any, signed: Any = None, absolute: Any = None) -> None:
        """Numbers of one parameter, [S, n] each."""
        self._add(self._l1, l1)
        self._add(self._l2_squared, l2_squared)
        if name in self.u:
            self._add(self._signed[name], signed)
            self._add(self._absolute[name], absolute)

    def numbers(self) -> TokenNumbers:
        """What has been added up."""
        return TokenNumbers(
            self._l1.cpu().numpy(),
            self._l2_squared.cpu().numpy(),
            {name: values.cpu().numpy() for name, values in self._signed.items()},
            {name: values.cpu().numpy() for name, values in self._absolute.items()},
        )

    def _add(self, to: Any, values: Any) -> None:
        to[self._sequences, self._columns] += values


class Formed:
    """The numbers of one token of each sequence in some rows of a matrix, one sequence after the other."""

    def __init__(self, tally: Tally, name: str, tile: slice) -> None:
        self._tally, self._name = tally, name
        moves = name in tally.u
        self._u = tally.u[name][tile].flatten() if moves else None
        self._size = tally.size[name][tile].flatten() if moves else None
        self._numbers: list[list[Any]] = [[] for _ in range(4)]

    def add(self, gradient: Any) -> Any:
        """Of the next sequence. gradient: a buffer that is written to. Returns |gradient|, of the same shape."""
        l1, l2_squared, signed, absolute = self._numbers
        g = gradient.flatten()
        l2_squared.append(g @ g)
        if self._u is not None:
            signed.append(g @ self._u)
        g.abs_()
        l1.append(g.sum())
        if self._size is not None:
            absolute.append(g @ self._size)
        return g.view_as(gradient)

    def done(self) -> None:
        """All sequences have been added."""
        self._tally.add(self._name, *(torch.stack(values)[:, None] if values else None for values in self._numbers))
