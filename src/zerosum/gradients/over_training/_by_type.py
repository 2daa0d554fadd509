"""Opposition by layer and type of parameter: `self_attn.q_proj` in every layer is one type."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from zerosum.estimate import Estimate
from zerosum.gradients._parameter_set import ParameterSet
from zerosum.gradients._result import GradientInterference
from zerosum.gradients.parameters import NOT_IN_D_GRAD, layer_of

_NUMBER = re.compile(r"(?<=\.)\d+(?=\.)", re.ASCII)


@dataclass(frozen=True)
class Cell:
    """Parameters of one type in one layer. kind: of the first of them.

    D_grad, C_g: of their coordinates together, with the reason where one is not known. numel: coordinates.
    n: parameters, more than one where modules are numbered, such as experts.
    """

    layer: str
    type: str
    kind: str
    D_grad: Estimate
    C_g: Estimate
    numel: int
    n: int


def cells(checkpoint: GradientInterference) -> tuple[Cell, ...]:
    """Every parameter but embedding and head, in the model's order."""
    groups: dict[tuple[str, str], list[ParameterSet]] = {}
    for parameter in checkpoint.parameters:
        if parameter.kind not in NOT_IN_D_GRAD:
            layer = layer_of(parameter.name)
            groups.setdefault((layer, type_of(parameter.name, layer)), []).append(parameter)
    return tuple(_cell(checkpoint, layer, type_, parameters) for (layer, type_), parameters in groups.items())


def type_of(parameter: str, layer: str) -> str:
    """The name of a parameter inside its layer, with one star for all numbers of modules, such as of experts.

    >>> type_of("h.3.attn.c_attn.weight", "h.3"), type_of("h.3.ln_1.bias", "h.3"), type_of("norm.weight", "norm")
    ('attn.c_attn', 'ln_1.bias', 'weight')
    >>> type_of("h.3.mlp.experts.11.up.weight", "h.3"), type_of("scale", "scale")
    ('mlp.experts.*.up', 'scale')
    """
    inside = parameter[len(layer) :].lstrip(".") or parameter
    return _NUMBER.sub("*", f".{inside}".removesuffix(".weight"))[1:] or inside


def _cell(checkpoint: GradientInterference, layer: str, type_: str, parameters: Sequence[ParameterSet]) -> Cell:
    numel = sum(parameter.numel for parameter in parameters)
    D_grad, C_g = _mean_D(checkpoint, parameters), _joint_C_g(checkpoint, parameters)
    return Cell(layer, type_, parameters[0].kind, D_grad, C_g, numel, len(parameters))


def _joint_C_g(checkpoint: GradientInterference, parameters: Sequence[ParameterSet]) -> Estimate:
    mass = sum(parameter.sums.mass for parameter in parameters)
    if len(parameters) == 1 or mass == 0:
        return checkpoint.estimate_of(parameters[0], "C_g")
    return Estimate(sum(parameter.sums.net for parameter in parameters) / mass, N=checkpoint.N, of="tokens")


def _mean_D(checkpoint: GradientInterference, parameters: Sequence[ParameterSet]) -> Estimate:
    """D_grad of all touched coordinates together: the mean over parameters, weighted by how many each has."""
    if len(parameters) == 1:
        return checkpoint.estimate_of(parameters[0], "D_grad")
    weighted = [
        (parameter.touched or 0, checkpoint.estimate_of(parameter, "D_grad"))
        for parameter in parameters
        if parameter.touched != 0
    ]
    unknown = [D for n, D in weighted if n == 0 or not D.known]
    if unknown or not weighted:
        reason = (unknown or [checkpoint.estimate_of(parameters[0], "D_grad")])[0].reason
        return Estimate(math.nan, reason=reason, N=checkpoint.N, of="tokens")
    mean = sum(n * D.value for n, D in weighted) / sum(n for n, _ in weighted)
    return Estimate(mean, N=checkpoint.N, of="tokens")
