"""The numbers that are read off sums of per-token gradients.

Letters: i token, j coordinate; g_ij gradient of one token's loss, u_j update, p_ij = g_ij u_j. Source of the
definitions: Mircea et al. 2025, section 4; here always of one token's loss, and a tied matrix counts once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

from zerosum.gradients._sums import GradientSums
from zerosum.gradients.parameters import ROUNDING, Parameter, by_layer, in_D_grad


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
class CoordinateSums:
    """What coordinates add up to; sums of different coordinates add.

    cancelled: sum over touched coordinates of 1 - |sum_i g_ij| / sum_i |g_ij|. touched, numel: coordinates. rounding:
    those that would be touched, were their gradients more than rounding. net: sum_j |sum_i p_ij|, mass: sum_ij |p_ij|,
    signed: sum_ij p_ij, all nats, of touched coordinates; 0 where nothing moves.
    """

    cancelled: float = 0.0
    touched: int = 0
    numel: int = 0
    rounding: int = 0
    net: float = 0.0
    mass: float = 0.0
    signed: float = 0.0

    def __add__(self, other: "CoordinateSums") -> "CoordinateSums":
        mine, theirs = vars(self), vars(other)
        return CoordinateSums(**{name: mine[name] + theirs[name] for name in mine})

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


def beyond_rounding(mass: Mapping[str, Any], parameters: Sequence[Parameter]) -> dict[str, float]:
    """Parameter -> the sum_i |g_ij| that a coordinate has to exceed to be touched: 0 but for those that D_grad is of.

    Some gradients are 0 for every token, as those of a key's bias, which a softmax ignores; what backward passes give
    is then rounding, and would oppose itself at random. They stay far below ROUNDING times the precision of the
    parameters, relative to the mean of sum_i |g_ij| over the layer's coordinates. Of biases some may be so, such as the
    keys' in one vector with queries and values; a matrix or norm is wholly so, or has small gradients that are right.
    """
    import torch

    least_mass = dict.fromkeys(mass, 0.0)
    for members in by_layer(member for member in in_D_grad(parameters) if member.name in mass).values():
        sums = [mass[member.name] for member in members]
        mean = sum(float(sizes.sum()) for sizes in sums) / sum(sizes.numel() for sizes in sums)
        for member, sizes in zip(members, sums, strict=True):
            least = ROUNDING * torch.finfo(member.tensor.dtype).eps * mean
            if member.kind == "bias" or not bool((sizes > least).any()):
                least_mass[member.name] = least
    return least_mass


def coordinate_sums(net: Any, mass: Any, u: Any = None, least: float = 0.0) -> CoordinateSums:
    """Of one parameter. net: sum_i g_ij. mass: sum_i |g_ij|, which has to exceed `least` to count.

    u: its update; None: it does not move.
    """
    touched, positive, numel = mass > least, int((mass > 0).sum()), mass.numel()
    net, mass = net[touched], mass[touched]
    cancelled = float((1 - net.abs() / mass).sum())
    counted = CoordinateSums(cancelled, mass.numel(), numel, positive - mass.numel())
    if u is None:
        return counted
    u = u.to(net)[touched]
    p = u * net
    return counted + CoordinateSums(net=float(p.abs().sum()), mass=float((u.abs() * mass).sum()), signed=float(p.sum()))


def opposition(
    sums: GradientSums, parameters: Sequence[Parameter], update: Mapping[str, Any] | None = None
) -> Opposition:
    """Opposition in all coordinates of `parameters` together. update: u by name; a missing one does not move."""
    u, least = update or {}, beyond_rounding(sums.mass, parameters)
    names = [parameter.name for parameter in parameters]
    parts = (coordinate_sums(sums.net[name], sums.mass[name], u.get(name), least[name]) for name in names)
    return sum(parts, CoordinateSums()).opposition


def _ratio(part: float, whole: float | int) -> float:
    return part / whole if whole > 0 else nan
