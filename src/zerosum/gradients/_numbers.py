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


def opposition(
    sums: GradientSums, parameters: Sequence[Parameter], update: Mapping[str, Any] | None = None
) -> Opposition:
    """Opposition in all coordinates of `parameters` together. update: u by name; a missing one does not move."""
    cancelled, touched, numel, net, mass, signed = 0.0, 0, 0, 0.0, 0.0, 0.0
    for one in parameters:
        of_net, of_mass = sums.net[one.name], sums.mass[one.name]
        moved = of_mass > 0
        cancelled += float((1 - of_net[moved].abs() / of_mass[moved]).sum())
        touched += int(moved.sum())
        numel += of_mass.numel()
        if update is not None and one.name in update:
            u = update[one.name].to(of_net)
            p = u * of_net
            net += float(p.abs().sum())
            mass += float((u.abs() * of_mass).sum())
            signed += float(p.sum())
    return Opposition(_ratio(cancelled, touched), numel, touched, _ratio(net, mass), _ratio(abs(signed), net), mass)


def first_order_numbers(changes: Any, mass: float) -> FirstOrder:
    """changes: q_i, nats, any shape. mass: sum_ij |p_ij| over the same tokens."""
    q = changes.double()
    moved = float(q.abs().sum())
    return FirstOrder(_ratio(moved, mass), 1 - _ratio(abs(float(q.sum())), moved), _ratio(moved, q.numel()))


def _ratio(part: float, whole: float | int) -> float:
    return part / whole if whole > 0 else nan
