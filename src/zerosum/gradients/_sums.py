"""Sums over tokens, kept for every coordinate of every parameter. They add: batches, restarts and processes merge.

Letters: i token, j coordinate; g_ij gradient of one token's loss.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zerosum.errors import InputError
from zerosum.gradients._parameters import Parameter

if TYPE_CHECKING:
    from zerosum.gradients.layerwise._per_token import TokenNumbers


@dataclass
class GradientSums:
    """net: parameter name -> sum_i g_ij. mass: name -> sum_i |g_ij|. Tensors of the parameter's shape, float64.

    n_tokens: how many token gradients were summed. tokens: numbers of each of them where they were asked for; they do
    not add up, so `add` and `merge` leave them out.
    """

    net: dict[str, Any]
    mass: dict[str, Any]
    n_tokens: int = 0
    notes: list[str] = field(default_factory=list)
    tokens: "TokenNumbers | None" = None

    @classmethod
    def zeros(cls, parameters: Sequence[Parameter]) -> "GradientSums":
        """Nothing summed yet, on the parameters' device."""
        import torch

        def empty() -> dict[str, Any]:
            return {one.name: torch.zeros_like(one.tensor, dtype=torch.float64) for one in parameters}

        return cls(empty(), empty())

    def add(self, other: "GradientSums") -> None:
        """Add sums over other tokens in place, so that no third copy of the model is held."""
        for mine, its in ((self.net, other.net), (self.mass, other.mass)):
            for name, value in its.items():
                mine[name] += value
        self.n_tokens += other.n_tokens

    @classmethod
    def merge(cls, parts: Iterable["GradientSums"]) -> "GradientSums":
        """Add up sums over different tokens of the same model.

        Raises InputError where the parameters are not the same.
        """
        parts = list(parts)
        if not parts:
            raise InputError("no sums to merge. Give at least one part.")
        first = parts[0]
        for other in parts[1:]:
            if {k: v.shape for k, v in other.net.items()} != {k: v.shape for k, v in first.net.items()}:
                raise InputError("sums of different parameters cannot be merged. Give sums of one model.")
        return cls(
            {name: sum(part.net[name] for part in parts) for name in first.net},
            {name: sum(part.mass[name] for part in parts) for name in first.mass},
            sum(part.n_tokens for part in parts),
            list(dict.fromkeys(note for part in parts for note in part.notes)),
        )
