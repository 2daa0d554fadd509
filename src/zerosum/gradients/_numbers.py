"""The numbers that are read off sums of per-token gradients.

Letters: i token, j coordinate; g_ij gradient of one token's loss, u_j update, p_ij = g_ij u_j. Source of the
definitions: Mircea et al. 2025, section 4; here always of one token's loss, and a tied matrix counts once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

from zerosum.gradients._parameters import Parameter
from zerosum.gradients._sums import GradientSums


@dataclass(frozen=True)
class Opposition:
    """How far tokens oppose each other in a set of coordinates.

    D_grad: mean over touched coordinates of 1 - |sum_i g_ij| / sum_i |g_ij|, in [0, 1]; NaN where none is touched.
    numel, touched: coordinates, and those that any token has a gradient in. C_g: sum_j |sum_i p_ij| / sum_ij |p_ij|.
    C_uG: |sum_ij p_ij| / sum_j |sum_i p_ij|. Both NaN without an update. mass: sum_ij |p_ij|, nats.
    """

    D_grad: float
    numel: int
    touched: int
    C_g: float
    C_uG: float
    mass: float


@dataclass(frozen=True)
class FirstOrder:
    """First-order loss changes q_i = sum_j p_ij of all tokens. C_ug: sum_i |q_i| / sum_ij |p_ij|.

    D: 1 - |sum_i q_i| / sum_i |q_i|. M: mean_i |q_i|, nats. Identity: 1 - D = C_g C_uG / C_ug.
    """

    C_ug: float
    D: float
    M: float


@dataclass(frozen=True)
class CoordinateSums:
    """What coordinates add up to; sums of different coordinates add.

    cancelled: sum over touched coordinates of 1 - |sum_i g_ij| / sum_i |g_ij|. touched, numel: coordinates. net:
    sum_j |sum_i p_ij|, mass: sum_ij |p_ij|, signed: sum_ij p_ij, all nats; 0 where nothing moves.
    """

    cancelled: float = 0.0
    touched: int = 0
    numel: int = 0
    net: float = 0.0
    mass: float = 0.0
    signed: float = 0.0

    def __add__(self, other: "CoordinateSums") -> "CoordinateSums":
        mine, its = vars(self), vars(other)
        return CoordinateSums(**{name: mine[name] + its[name] for name in mine})

    @property
    def opposition(self) -> Opposition:
        """The numbers read off these sums."""
        return Opposition(
            _ratio(self.cancelled, self.touched),
            self.numel,
            self.touched,
            _ratio(self.net, self.mass),
            _ratio(abs(self.signed), self.net),
            self.mass,
        )


def coordinate_sums(net: Any, mass: Any, u: Any = None) -> CoordinateSums:
    """Of one parameter. net: sum_i g_ij. mass: sum_i |g_ij|. u: its update; None: it does not move."""
    moved = mass > 0
    cancelled = float((1 - net[moved].abs() / mass[moved]).sum())
    counted = CoordinateSums(cancelled, int(moved.sum()), mass.numel())
    if u is None:
        return counted
    u = u.to(net)
    p = u * net
    return counted + CoordinateSums(net=float(p.abs().sum()), mass=float((u.abs() * mass).sum()), signed=float(p.sum()))


def opposition(
    sums: GradientSums, parameters: Sequence[Parameter], update: Mapping[str, Any] | None = None
) -> Opposition:
    """Opposition in all coordinates of `parameters` together. update: u by name; a missing one does not move."""
    u = update or {}
    parts = (coordinate_sums(sums.net[one.name], sums.mass[one.name], u.get(one.name)) for one in parameters)
    return sum(parts, CoordinateSums()).opposition


def first_order_numbers(changes: Any, mass: float) -> FirstOrder:
    """changes: q_i, nats, any shape. mass: sum_ij |p_ij| over the same tokens."""
    q = changes.double()
    moved = float(q.abs().sum())
    return FirstOrder(_ratio(moved, mass), 1 - _ratio(abs(float(q.sum())), moved), _ratio(moved, q.numel()))


def _ratio(part: float, whole: float | int) -> float:
    return part / whole if whole > 0 else nan
