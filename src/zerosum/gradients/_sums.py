"""Sums over tokens, kept for every coordinate of every parameter. They add: batches, restarts and processes merge.

Letters: i token, j coordinate; g_ij gradient of one token's loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zerosum.gradients.parameters import Parameter

if TYPE_CHECKING:
    from zerosum.gradients.layerwise._per_token import TokenNumbers


@dataclass
class GradientSums:
    """net: parameter name -> sum_i g_ij. mass: name -> sum_i |g_ij|. Tensors of the parameter's shape, float64.

    n_tokens: how many token gradients were summed. tokens: numbers of each of them where they were asked for; they do
    not add up, so `add` leaves them out.
    """

    net: dict[str, Any]
    mass: dict[str, Any]
    n_tokens: int = 0
    tokens: "TokenNumbers | None" = None

    @classmethod
    def zeros(cls, parameters: Sequence[Parameter]) -> "GradientSums":
        """Nothing summed yet, on the parameters' device."""
        import torch

        def empty() -> dict[str, Any]:
            return {parameter.name: torch.zeros_like(parameter.tensor, dtype=torch.float64) for parameter in parameters}

        return cls(empty(), empty())

    def add(self, other: "GradientSums") -> None:
        """Add sums over other tokens in place, so that no third copy of the model is held."""
        for mine, theirs in ((self.net, other.net), (self.mass, other.mass)):
            for name, value in theirs.items():
                mine[name] += value
        self.n_tokens += other.n_tokens
