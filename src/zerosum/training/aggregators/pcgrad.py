"""PCGrad: the gradient of each group loses what points against the gradients of other groups.

Source: Yu et al. 2020, Gradient Surgery for Multi-Task Learning, arXiv 2001.06782, algorithm 1.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from zerosum.training.aggregator_settings import GroupAggregatorSettings
from zerosum.training.identity import Identity

if TYPE_CHECKING:
    from jaxtyping import Float64
    from torch import Generator, Tensor


class PCGradSettings(GroupAggregatorSettings):
    """Of each group i, for all other groups j in random order: where `g_i . g_j < 0`, subtract `(g_i . g_j / |g_j|^2)
    g_j` from g_i, g_j being the original gradient; then sum over i. Without a conflict it is the mean gradient."""

    source: ClassVar[str] = "Yu et al. 2020, arXiv 2001.06782"
    identity: ClassVar[Identity | None] = Identity(
        {"groups": 2},
        "mean",
        tolerance=1e-14,
        condition="no pair of groups is in conflict at any step",
    )

    kind: str = "pcgrad"

    def combine(
        self, gradients: Sequence[Sequence["Tensor"]], products: "Float64[Tensor, 'K K']", generator: "Generator"
    ) -> "list[Tensor]":
        """See the class. Every projected gradient is a sum of the original ones, so inner products decide it."""
        import torch

        n_groups = len(gradients)
        projected = torch.eye(n_groups, dtype=products.dtype)  # row i: projected g_i in terms of the original gradients
        for i in range(n_groups):
            for j in torch.randperm(n_groups, generator=generator).tolist():
                product = projected[i] @ products[:, j]
                if j != i and product < 0:
                    projected[i, j] -= product / products[j, j]
        factors = projected.sum(dim=0).tolist()
        return [
            sum(factor * gradient for factor, gradient in zip(factors, of_groups, strict=True))
            for of_groups in zip(*gradients, strict=True)
        ]


AGGREGATOR = PCGradSettings
