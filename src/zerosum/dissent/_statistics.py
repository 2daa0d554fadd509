"""Builds the numbers of the record from the sums of forces and the numbers of each token.

Letters: S sequences, T predicted positions, N tokens, Y distinct labels, d width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, Shaped

from zerosum.dissent._force_sums import PER_TOKEN, ForceSums
from zerosum.dissent._forces import BLOCK, ForceProducts, TwoForces, products
from zerosum.dissent._frequency import LabelFrequency
from zerosum.dissent._record import NUMBERS, ONE_MATRIX, QUANTILES, FrequencyClass, PartForces, Spread
from zerosum.gradients.parameters import ROUNDING, Parameter, by_layer
from zerosum.interference import InterferenceSums, interval, no_interval_reason

BOUNDS = {"dissent": (-1.0, 1.0), "cancellation": (0.0, 1.0), "magnitude_ratio": (0.0, np.inf), "loss": (0.0, np.inf)}


@dataclass(frozen=True)
class OfTokens:
    """per_token: PER_TOKEN -> [S, T], NaN at padding. predicted: [S, T] where it is not. unit: broadcasts to them."""

    per_token: Mapping[str, Float[np.ndarray, "S T"]]
    predicted: Bool[np.ndarray, "S T"]
    unit: Shaped[np.ndarray, "..."]
    seed: int

    def spread(self, name: str, where: Bool[np.ndarray, "S T"]) -> Spread:
        """One of PER_TOKEN over the tokens at `where`, with an interval of its mean over units."""
        values = self.per_token[name]
        known = where & np.isfinite(values)
        if not known.any():
            return Spread(left_out=int(where.sum()), reason="no value")
        sums = InterferenceSums.of(values, self.unit, known)
        of_mean, (low, high) = interval(sums, seed=self.seed), BOUNDS[name]
        ends = None if of_mean is None else (max(low, of_mean.delta_L[0]), min(high, of_mean.delta_L[1]))
        return _spread(values[known], int(where.sum() - known.sum()), ends, no_interval_reason(sums))

    def spreads(self, where: Bool[np.ndarray, "S T"], names: Sequence[str] = PER_TOKEN) -> dict[str, Spread]:
        """Several of PER_TOKEN."""
        return {name: self.spread(name, where) for name in names}


def _spread(values: Float[np.ndarray, " n"], left_out: int, ends: Any, reason: str | None) -> Spread:
    quantiles = dict(zip(QUANTILES, np.percentile(values, QUANTILES).tolist(), strict=True))
    return Spread(float(values.mean()), quantiles, values.size, left_out, ends, reason)


def of_rows(head: TwoForces, labels: Int64[np.ndarray, " Y"]) -> dict[str, Float[np.ndarray, " Y"]]:
    """NUMBERS of the rows of the head that are a label. head: [V, d] each."""
    blocks: dict[str, list[Any]] = {name: [] for name in NUMBERS}
    ids, size = torch.as_tensor(labels, device=head.attraction.device), max(1, BLOCK // head.attraction.shape[1])
    for first in range(0, len(ids), size):
        block = ids[first : first + size]
        forces = TwoForces(head.attraction[block], head.repulsion[block])
        for name in NUMBERS:
            blocks[name].append(getattr(forces, name).cpu().numpy())
    return {name: np.concatenate(parts) for name, parts in blocks.items()}


def spreads_of_rows(rows: Mapping[str, Float[np.ndarray, " Y"]], where: Bool[np.ndarray, " Y"]) -> dict[str, Spread]:
    """Of the rows at `where`, each row counting once; empty where there are none."""
    spreads = {}
    for name, values in rows.items():
        known = values[where & np.isfinite(values)]
        left_out = int(where.sum()) - known.size
        unknown = Spread(nan, {}, 0, left_out, None, "")
        spreads[name] = _spread(known, left_out, None, ONE_MATRIX) if known.size else unknown
    return spreads


def by_frequency(
    tokens: OfTokens, frequency: LabelFrequency, rows: Mapping[str, Float[np.ndarray, " Y"]]
) -> tuple[FrequencyClass, ...]:
    """Each class that has a label."""
    code = np.full(tokens.predicted.shape, -1, dtype=np.int64)
    code[tokens.predicted] = frequency.of_token
    classes = []
    for k, (low, high) in enumerate(frequency.bounds):
        labels = frequency.of_label == k
        if labels.any():
            of_rows = spreads_of_rows(rows, labels)
            classes.append(FrequencyClass(low, high, int(labels.sum()), tokens.spreads(code == k), of_rows))
    return tuple(classes)


def of_body(
    sums: ForceSums, parameters: Sequence[Parameter]
) -> tuple[ForceProducts, tuple[PartForces, ...], tuple[PartForces, ...]]:
    """Of all parameters below the head as one vector, of each, and of each layer."""
    each: dict[str, ForceProducts] = {}
    layers: dict[str, ForceProducts] = {}
    for layer, members in by_layer(parameters).items():
        forces = {member.name: sums.body[member.name] for member in members}
        of_members = {name: products(two.attraction, two.repulsion) for name, two in forces.items()}
        layers[layer] = sum(of_members.values(), ForceProducts())
        each |= {member.name: _beyond_rounding(of_members[member.name], layers[layer], member) for member in members}
    return (
        sum(layers.values(), ForceProducts()),
        tuple(PartForces(parameter.name, parameter.kind, each[parameter.name]) for parameter in parameters),
        tuple(PartForces(name, "layer", forces) for name, forces in layers.items()),
    )


def _beyond_rounding(forces: ForceProducts, of_layer: ForceProducts, parameter: Parameter) -> ForceProducts:
    """Nothing where both forces are as small beside their layer's, mean square by coordinate, as rounding makes them:
    a key's bias has none, for example, since a softmax ignores it (see `beyond_rounding`)."""
    least = (ROUNDING * torch.finfo(parameter.tensor.dtype).eps) ** 2
    is_rounding = _mean_square(forces) <= least * _mean_square(of_layer)
    return ForceProducts(numel=forces.numel) if is_rounding else forces


def _mean_square(forces: ForceProducts) -> float:
    return (forces.attraction + forces.repulsion) / max(forces.numel, 1)
