"""Numbers of each token: how large its gradient is, and what an update has to do with it.

Letters: S sequences, T positions (of a sample: m strata), i token, j coordinate, n tokens of each sequence at a time,
o and i outputs and inputs of a matrix; g_ij gradient of one token's loss, u_j update, p_ij = g_ij u_j.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from zerosum.gradients._parameters import Parameter


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
        moved = [one for one in parameters if one.name in (update or {})]
        self.u = {one.name: torch.as_tensor((update or {})[one.name]).detach().to(one.tensor) for one in moved}
        self._wide = parameters[0].tensor.dtype  # where passes are narrow, numbers are not
        self._columns = self._sequences = slice(None)
        device = parameters[0].tensor.device
        self._size = {name: u.abs() for name, u in self.u.items()}

        def empty() -> Any:
            return torch.zeros(shape, dtype=torch.float64, device=device)

        self._l1, self._l2_squared = empty(), empty()
        self._signed, self._absolute = ({name: empty() for name in self.u} for _ in range(2))

    def of_tokens(self, columns: slice, sequences: slice = slice(None)) -> None:
        """Which tokens of each sequence, or of some sequences, the parts that come next are of."""
        self._columns, self._sequences = columns, sequences

    def whole(self, name: str, gradients: Any) -> None:
        """All of one parameter's gradients. gradients: [S, n, *shape]."""
        g = gradients.reshape(*gradients.shape[:2], -1)
        self._add(self._l1, g.abs().sum(2))
        self._add(self._l2_squared, g.square().sum(2))
        if name in self.u:
            self._add(self._signed[name], g @ self.u[name].flatten())
            self._add(self._absolute[name], g.abs() @ self._size[name].flatten())

    def one(self, name: str, tile: slice, s: int, gradient: Any) -> None:
        """The gradient of sequence s's one token in some rows of a parameter. gradient: [rows, ...]."""
        g = gradient.flatten().to(self._wide)
        size = g.abs()
        self._add(self._l1[s], size.sum())
        self._add(self._l2_squared[s], g @ g)
        if name in self.u:
            self._add(self._signed[name][s], g @ self.u[name][tile].flatten())
            self._add(self._absolute[name][s], size @ self._size[name][tile].flatten())

    def rank_one(self, name: str, rows: Any, columns: Any) -> None:
        """Gradients that are outer products. rows: [S, n, o]. columns: [S, n, i]."""
        self._add(self._l1, rows.abs().sum(2) * columns.abs().sum(2))
        self._add(self._l2_squared, rows.square().sum(2) * columns.square().sum(2))
        if name in self.u:
            self._add(self._signed[name], ((rows @ self.u[name]) * columns).sum(2))
            self._add(self._absolute[name], ((rows.abs() @ self._size[name]) * columns.abs()).sum(2))

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
            self._add(self._absolute[name], (size * self._size[name][ids]).sum((1, 2))[:, None])

    def numbers(self) -> TokenNumbers:
        """What has been added up."""
        return TokenNumbers(
            self._l1.cpu().numpy(),
            self._l2_squared.cpu().numpy(),
            {name: values.cpu().numpy() for name, values in self._signed.items()},
            {name: values.cpu().numpy() for name, values in self._absolute.items()},
        )

    def _add(self, to: Any, values: Any) -> None:
        to = to[self._sequences] if to.ndim == 2 else to
        to[..., self._columns] += values
