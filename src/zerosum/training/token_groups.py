"""The group of each token of a batch, and how the gradients of the groups relate.

Letters: S sequences of T predicted tokens, K groups.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from zerosum.training.aggregator_settings import GroupAggregatorSettings

CONFLICT_RATE_NULL = 0.5
"""Share of pairs in conflict where gradients are noise alone: the sign of an inner product is then a coin flip."""


def groups_of_sequences(settings: GroupAggregatorSettings, domain: Int64[Tensor, " S"]) -> Int64[Tensor, " S"] | None:
    """The group of each sequence of a batch; None where a sequence has tokens of several groups."""
    if settings.by == "domains":
        return domain % settings.groups
    if settings.by == "micro_batches":
        return torch.arange(len(domain), device=domain.device) * settings.groups // len(domain)
    return None


def groups_by_loss(
    settings: GroupAggregatorSettings, losses: Float[Tensor, "S T"], predicted: Bool[Tensor, "S T"]
) -> Int64[Tensor, "S T"]:
    """Tokens sorted by loss and cut into groups of equal size; of equal losses the first in the batch is lower."""
    order = losses.flatten().masked_fill(~predicted.flatten(), torch.inf).sort(stable=True).indices
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=order.device)
    groups = rank * settings.groups // predicted.sum().clamp(min=1)
    return groups.clamp(max=settings.groups - 1).reshape(losses.shape)  # padding comes last


def inner_products(gradients: Sequence[Sequence[Tensor]]) -> Float64[Tensor, "K K"]:
    """[K, K] inner products of K gradients, each a tensor for each parameter; on the CPU."""
    products = torch.zeros((len(gradients), len(gradients)), dtype=torch.float64)
    for of_groups in zip(*gradients, strict=True):
        rows = torch.stack([gradient.flatten() for gradient in of_groups]).double()
        products += (rows @ rows.T).cpu()
    return products


def agreement(products: Float64[Tensor, "K K"], sizes: Sequence[int]) -> dict[str, float]:
    """Columns of the log that say how far the gradients of the groups agree.

    conflict_rate: share of the pairs of groups whose inner product is below 0; conflict_rate_null: what noise gives.
    mean_cosine: over the pairs. NaN, both, where there is no pair. n_groups, smallest_group, largest_group: number of
    groups with tokens, and tokens in the smallest and the largest of them. sizes: [K] tokens of each group.
    """
    i, j = torch.triu_indices(len(products), len(products), offset=1)
    lengths = products.diagonal().sqrt()
    pairs = products[i, j]
    return {
        "conflict_rate": float((pairs < 0).double().mean()),
        "conflict_rate_null": CONFLICT_RATE_NULL,
        "mean_cosine": float((pairs / (lengths[i] * lengths[j])).mean()),
        "n_groups": len(sizes),
        "smallest_group": min(sizes),
        "largest_group": max(sizes),
    }
