"""Numbers of every parameter, every layer and the whole model, from exact sums or from a sample.

Letters: i token, j coordinate; p_ij = g_ij u_j.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import nan
from operator import add
from typing import Any

import numpy as np

from zerosum.gradients._numbers import CoordinateSums, beyond_rounding, coordinate_sums
from zerosum.gradients._parameter_set import Ends, ParameterSet
from zerosum.gradients._sampled import SampledMass
from zerosum.gradients._sampled_opposition import SampledOpposition
from zerosum.gradients._share import Share
from zerosum.gradients.parameters import NOT_IN_D_GRAD, Parameter, by_layer, in_D_grad

NOT_KEPT = "a sample keeps no sums of embedding and head"
Spread = Callable[[Sequence[Parameter]], tuple[float, Ends | None]]
Update = Mapping[str, Any] | None


@dataclass(frozen=True)
class Sets:
    """total: over every coordinate. intervals: of D_grad and D_grad_matrices; mass_interval: of sum_ij |p_ij|, nats.

    None where nothing was sampled, or nothing moves. thin: coordinates that too few tokens of a sample touch.
    """

    total: CoordinateSums
    D_grad: float
    D_grad_matrices: float
    parameters: tuple[ParameterSet, ...]
    layers: tuple[ParameterSet, ...]
    intervals: dict[str, Ends | None]
    mass_interval: Ends | None = None
    thin: int = 0


def within_sets(signed: Mapping[str, Any], parameters: Sequence[Parameter], weight: Any = 1.0) -> dict[str, float]:
    """Parameter or layer -> sum_i w_i |sum_j p_ij| over its coordinates j, nats; 0 in one that does not move.

    signed: parameter -> sum_j p_ij of each token i, any shape. weight: of each token, of that shape.
    """

    def summed(members: Sequence[Parameter]) -> float:
        moved = [signed[member.name] for member in members if member.name in signed]
        return float(np.sum(weight * np.abs(sum(moved)))) if moved else 0.0

    each = {parameter.name: summed([parameter]) for parameter in parameters}
    return each | {name: summed(members) for name, members in by_layer(parameters).items()}


def sets_of(share: Share, parameters: Sequence[Parameter], update: Update) -> Sets:
    """Of the share that holds all tokens."""
    if share.sample is None:
        return _exact_sets(share, parameters, update or {})
    return _sampled_sets(share.sample, share.net, parameters, update or {})


def _exact_sets(share: Share, parameters: Sequence[Parameter], u: Mapping[str, Any]) -> Sets:
    """From sums over all tokens."""
    least = beyond_rounding(share.mass, parameters)
    names = [parameter.name for parameter in parameters]
    each = {name: coordinate_sums(share.net[name], share.mass[name], u.get(name), least[name]) for name in names}

    def D_grad(members: Sequence[Parameter]) -> tuple[float, Ends | None]:
        return _added(each, members).opposition.D_grad, None

    return _sets(each, share.within, parameters, D_grad, lambda members: None)


def _sampled_sets(
    sample: SampledMass, net: Mapping[str, Any], parameters: Sequence[Parameter], u: Mapping[str, Any]
) -> Sets:
    """From exact sum_i g_ij and a sample of tokens: sum_i |g_ij|, sum_ij |p_ij| and C_ug of a set are estimates."""
    opposed = sample.opposition(net, parameters, beyond_rounding(sample.kept(), parameters))
    names = [parameter.name for parameter in parameters]
    each = {name: _sampled_sums(sample, name, net[name], u.get(name), opposed.get(name)) for name in names}

    def D_grad(members: Sequence[Parameter]) -> tuple[float, Ends | None]:
        known = [opposed[member.name] for member in members if member.name in opposed]
        if not sum(sums.touched for sums in known):
            return nan, None
        return reduce(add, known).D_grad(sample.share)

    def why_not(members: Sequence[Parameter]) -> str | None:
        return NOT_KEPT if all(member.kind in NOT_IN_D_GRAD for member in members) else None

    within = within_sets(sample.signed, parameters, sample.weight)
    sets = _sets(each, within, parameters, D_grad, why_not)
    moves = bool(u) and sample.total_moved() > 0
    ends = sample.moved_interval() if moves else None
    return replace(sets, mass_interval=ends, thin=sum(sums.n_thin for sums in opposed.values()))


def _sampled_sums(
    sample: SampledMass, name: str, net: Any, u: Any, opposed: SampledOpposition | None
) -> CoordinateSums:
    """opposed: None of embedding and head, whose sums a sample does not keep."""
    counted = CoordinateSums(numel=net.numel())
    if opposed is not None:
        counted += CoordinateSums(touched=opposed.touched, rounding=opposed.rounding)
    if u is None or (opposed is not None and not opposed.touched):
        return counted
    p = u.to(net) * net
    moved = sample.total_moved([name])
    return counted + CoordinateSums(net=float(p.abs().sum()), mass=moved, signed=float(p.sum()))


def _sets(
    each: Mapping[str, CoordinateSums],
    within: Mapping[str, float],
    parameters: Sequence[Parameter],
    D_grad: Spread,
    why_not: Callable[[Sequence[Parameter]], str | None],
) -> Sets:
    """D_grad: value and interval of a set of parameters. why_not: why its D_grad is not known, if that is so."""

    def numbers_of(name: str, kind: str, members: Sequence[Parameter]) -> ParameterSet:
        sums, (value, ends) = _added(each, members), D_grad(members)
        C_ug = within[name] / sums.mass if name in within and sums.mass > 0 else nan
        return ParameterSet(name, kind, sums, value, C_ug, ends, why_not(members))

    whole, whole_ends = D_grad(in_D_grad(parameters))
    matrices, matrices_ends = D_grad(in_D_grad(parameters, ("matrix",)))
    return Sets(
        total=_added(each, parameters),
        D_grad=whole,
        D_grad_matrices=matrices,
        parameters=tuple(numbers_of(parameter.name, parameter.kind, [parameter]) for parameter in parameters),
        layers=tuple(numbers_of(name, "layer", members) for name, members in by_layer(parameters).items()),
        intervals={"D_grad": whole_ends, "D_grad_matrices": matrices_ends},
    )


def _added(each: Mapping[str, CoordinateSums], members: Sequence[Parameter]) -> CoordinateSums:
    return sum((each[member.name] for member in members), CoordinateSums())
