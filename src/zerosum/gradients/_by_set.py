"""Numbers of every parameter, every layer and the whole model, from exact sums or from a sample.

Letters: i token, j coordinate; p_ij = g_ij u_j.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
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

    def summed(some: Sequence[Parameter]) -> float:
        moved = [signed[one.name] for one in some if one.name in signed]
        return float(np.sum(weight * np.abs(sum(moved)))) if moved else 0.0

    each = {one.name: summed([one]) for one in parameters}
    return each | {name: summed(some) for name, some in by_layer(parameters).items()}


def sets_of(share: Share, parameters: Sequence[Parameter], update: Update) -> Sets:
    """Of the share that holds all tokens."""
    if share.sample is None:
        return exact_sets(share.net, share.mass, share.within, parameters, update)
    return sampled_sets(share.sample, share.net, parameters, update)


def exact_sets(
    net: Mapping[str, Any],
    mass: Mapping[str, Any],
    within: Mapping[str, float],
    parameters: Sequence[Parameter],
    update: Update,
) -> Sets:
    """From sums over all tokens. within: as `within_sets` gives it; {}: no C_ug."""
    u, least = update or {}, beyond_rounding(mass, parameters)
    names = [one.name for one in parameters]
    each = {name: coordinate_sums(net[name], mass[name], u.get(name), least[name]) for name in names}

    def D_grad(some: Sequence[Parameter]) -> tuple[float, Ends | None]:
        return _added(each, some).opposition.D_grad, None

    return _sets(each, within, parameters, D_grad, lambda some: None)


def sampled_sets(sample: SampledMass, net: Mapping[str, Any], parameters: Sequence[Parameter], update: Update) -> Sets:
    """From exact sum_i g_ij and a sample of tokens: sum_i |g_ij|, sum_ij |p_ij| and C_ug of a set are estimates."""
    u, kept = update or {}, sample.kept()
    opposed = sample.opposition(net, parameters, beyond_rounding(kept, parameters))
    each = {
        one.name: _sampled_sums(sample, one, net[one.name], u.get(one.name), opposed.get(one.name))
        for one in parameters
    }

    def D_grad(some: Sequence[Parameter]) -> tuple[float, Ends | None]:
        of = [opposed[one.name] for one in some if one.name in opposed]
        if not sum(one.touched for one in of):
            return nan, None
        return reduce(add, of).D_grad(sample.share)

    within = within_sets(sample.signed, parameters, sample.weight)
    sets = _sets(each, within, parameters, D_grad, lambda some: NOT_KEPT if _outside_D_grad(some) else None)
    moves = bool(u) and sample.total_moved() > 0
    ends = sample.moved_interval() if moves else None
    return replace(sets, mass_interval=ends, thin=sum(one.n_thin for one in opposed.values()))


def _outside_D_grad(some: Sequence[Parameter]) -> bool:
    return all(one.kind in NOT_IN_D_GRAD for one in some)


def _sampled_sums(
    sample: SampledMass, one: Parameter, net: Any, u: Any, opposed: SampledOpposition | None
) -> CoordinateSums:
    """opposed: None of embedding and head, whose sums a sample does not keep."""
    counted = CoordinateSums(numel=net.numel())
    if opposed is not None:
        counted += CoordinateSums(touched=opposed.touched, rounding=opposed.rounding)
    if u is None or (opposed is not None and not opposed.touched):
        return counted
    p = u.to(net) * net
    moved = sample.total_moved([one.name])
    return counted + CoordinateSums(net=float(p.abs().sum()), mass=moved, signed=float(p.sum()))


def _sets(
    each: Mapping[str, CoordinateSums],
    within: Mapping[str, float],
    parameters: Sequence[Parameter],
    D_grad: Spread,
    why: Callable[[Sequence[Parameter]], str | None],
) -> Sets:
    whole = {"D_grad": D_grad(in_D_grad(parameters)), "D_grad_matrices": D_grad(in_D_grad(parameters, ("matrix",)))}
    named = partial(_set, each, within, D_grad, why)
    return Sets(
        total=_added(each, parameters),
        D_grad=whole["D_grad"][0],
        D_grad_matrices=whole["D_grad_matrices"][0],
        parameters=tuple(named(one.name, one.kind, [one]) for one in parameters),
        layers=tuple(named(name, "layer", some) for name, some in by_layer(parameters).items()),
        intervals={name: ends for name, (_, ends) in whole.items()},
    )


def _set(
    each: Mapping[str, CoordinateSums],
    within: Mapping[str, float],
    D_grad: Spread,
    why: Callable[[Sequence[Parameter]], str | None],
    name: str,
    kind: str,
    some: Sequence[Parameter],
) -> ParameterSet:
    sums = _added(each, some)
    C_ug = within[name] / sums.mass if name in within and sums.mass > 0 else nan
    value, ends = D_grad(some)
    return ParameterSet(name, kind, sums, value, C_ug, ends, why(some))


def _added(each: Mapping[str, CoordinateSums], some: Sequence[Parameter]) -> CoordinateSums:
    return sum((each[one.name] for one in some), CoordinateSums())
