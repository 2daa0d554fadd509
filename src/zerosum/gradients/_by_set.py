"""Numbers of every parameter, every layer and the whole model, from exact sums or from a sample.

Letters: i token, j coordinate; p_ij = g_ij u_j.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite, nan
from typing import Any

import numpy as np

from zerosum.gradients._numbers import CoordinateSums, beyond_rounding, coordinate_sums
from zerosum.gradients._parameters import APART, Parameter, by_layer, in_D_grad
from zerosum.gradients._result import Ends, ParameterSet
from zerosum.gradients._sampled import SampledMass
from zerosum.gradients._share import Share

NOT_KEPT = "a sample keeps no sums of embedding and head"
Spread = Callable[[Sequence[Parameter]], tuple[float, Ends | None]]
Update = Mapping[str, Any] | None


@dataclass(frozen=True)
class Sets:
    """total: over every coordinate. intervals: of D_grad and D_grad_matrices; mass_interval: of sum_ij |p_ij|, nats.

    None where nothing was sampled, or nothing moves.
    """

    total: CoordinateSums
    D_grad: float
    D_grad_matrices: float
    parameters: tuple[ParameterSet, ...]
    layers: tuple[ParameterSet, ...]
    intervals: dict[str, Ends | None]
    mass_interval: Ends | None = None


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
    least = beyond_rounding(kept, parameters)
    each = {
        one.name: _sampled_sums(sample, one, net[one.name], u.get(one.name), kept.get(one.name), least)
        for one in parameters
    }

    def D_grad(some: Sequence[Parameter]) -> tuple[float, Ends | None]:
        names = [one.name for one in some if one.kind not in APART and each[one.name].touched]
        if not names:
            return nan, None
        with np.errstate(invalid="ignore", divide="ignore"):  # coordinates that one group alone has touched
            value, ends = sample.D_grad(net, names, least)
        return value, ends if all(map(isfinite, ends)) else None

    within = within_sets(sample.signed, parameters, sample.weight)
    sets = _sets(each, within, parameters, D_grad, lambda some: NOT_KEPT if _apart(some) else None)
    moves = bool(u) and sample.total_moved() > 0
    return Sets(**(vars(sets) | {"mass_interval": sample.moved_interval() if moves else None}))


def _apart(some: Sequence[Parameter]) -> bool:
    return all(one.kind in APART for one in some)


def _sampled_sums(
    sample: SampledMass, one: Parameter, net: Any, u: Any, kept: Any, least: Mapping[str, float]
) -> CoordinateSums:
    """kept: estimate of sum_i |g_ij|; None: of embedding and head, which a sample keeps no sums of."""
    counted = CoordinateSums(numel=net.numel())
    if kept is not None:
        touched = int((kept > least[one.name]).sum())
        counted += CoordinateSums(touched=touched, rounding=int((kept > 0).sum()) - touched)
    if u is None or (kept is not None and not counted.touched):
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
