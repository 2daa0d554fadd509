"""Opposition by layer and type of parameter: `self_attn.q_proj` in every layer is one type."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from zerosum.show.gradients.halving import home
from zerosum.show.gradients.subject import APART, OneCheckpoint, Part

_NUMBER = re.compile(r"(?<=\.)\d+(?=\.)", re.ASCII)


@dataclass(frozen=True)
class Cell:
    """Parameters of one type in one layer. kind: of the first of them.

    D_grad, C_g: of their coordinates together, NaN where not known.
    reason: why D_grad is not known. numel: coordinates. n: parameters, more than one where modules are numbered.
    """

    layer: str
    type: str
    kind: str
    D_grad: float
    C_g: float
    numel: int
    n: int
    reason: str


def cells(one: OneCheckpoint) -> tuple[Cell, ...]:
    """Every parameter but embedding and head, in the model's order."""
    layers = {part.name for part in one.layers}
    found: dict[tuple[str, str], list[Part]] = {}
    for part in one.parameters:
        if part.kind not in APART:
            layer = home(part.name, layers)
            found.setdefault((layer, type_of(part.name, layer)), []).append(part)
    return tuple(_cell(*key, parts) for key, parts in found.items())


def type_of(parameter: str, layer: str) -> str:
    """The name of a parameter inside its layer, with one star for all numbers of modules, such as of experts.

    >>> type_of("h.3.attn.c_attn.weight", "h.3"), type_of("h.3.ln_1.bias", "h.3"), type_of("norm.weight", "norm")
    ('attn.c_attn', 'ln_1.bias', 'weight')
    >>> type_of("h.3.mlp.experts.11.up.weight", "h.3"), type_of("scale", "scale")
    ('mlp.experts.*.up', 'scale')
    """
    inside = parameter[len(layer) :].lstrip(".") or parameter
    return _NUMBER.sub("*", f".{inside}".removesuffix(".weight"))[1:] or inside


def _cell(layer: str, type_: str, parts: Sequence[Part]) -> Cell:
    D, why = _mean_D(parts)
    mass = sum(part["sum_ij_abs_p"].value for part in parts)
    net = sum(part["sum_j_abs_sum_i_p"].value for part in parts)
    C = parts[0]["C_g"].value if len(parts) == 1 else net / mass if mass > 0 else math.nan
    return Cell(layer, type_, parts[0].kind, D, C, sum(part.numel for part in parts), len(parts), why)


def _mean_D(parts: Sequence[Part]) -> tuple[float, str]:
    """D_grad of all touched coordinates together: the mean over parameters, weighted by how many each has."""
    if len(parts) == 1:
        alone = parts[0]["D_grad"]
        return alone.value, "" if math.isfinite(alone.value) else alone.reason
    counted = [(part.touched, part["D_grad"]) for part in parts if part.touched != 0]
    if unknown := [D.reason for n, D in counted if n is None or not math.isfinite(D.value)]:
        return math.nan, unknown[0]
    if not counted:
        return math.nan, parts[0]["D_grad"].reason
    weights = [n or 0 for n, _ in counted]
    return sum(n * D.value for n, (_, D) in zip(weights, counted, strict=True)) / sum(weights), ""
