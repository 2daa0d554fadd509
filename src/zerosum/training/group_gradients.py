"""The gradients of groups of tokens over all processes, and the one gradient that an aggregator makes of them.

Letters: s sequences of T predicted tokens in this process's share, K groups.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from zerosum.training.aggregator_settings import GroupAggregatorSettings
from zerosum.training.batch_share import Share
from zerosum.training.token_groups import agreement, inner_products


class GroupGradients:
    """Collects the gradient of each group of tokens, pass by pass, from the parameters that hold it after a pass."""

    def __init__(self, share: Share, aggregator: GroupAggregatorSettings):
        self._share = share
        self._aggregator = aggregator
        self._parameters = [parameter for parameter in share.model.parameters() if parameter.requires_grad]
        self._sums: list[list[Tensor | None]] = [[None] * len(self._parameters) for _ in range(aggregator.groups)]

    def collect(self, group: int) -> None:
        """Add the gradients of the parameters to those of a group, and remove them from the parameters."""
        sums = self._sums[group]
        for place, parameter in enumerate(self._parameters):
            so_far, gradient = sums[place], parameter.grad
            if gradient is not None:
                sums[place] = gradient if so_far is None else so_far.add_(gradient)
            parameter.grad = None

    def combine(self, sizes: Int64[Tensor, " K"]) -> dict[str, float]:
        """Give the parameters the gradient that the aggregator makes; returns the columns of the log about it.

        It has the norm of the gradient of the training loss. sizes: tokens of each group in the whole batch; groups
        without any are left out.
        """
        present = sizes.nonzero().flatten().tolist()
        gradients = [self._of_all_processes(group) for group in present]
        products = inner_products(gradients)
        combined = self._aggregator.combine(gradients, products, self._generator())
        length = inner_products([combined]).sum().sqrt()
        factor = float(products.sum().clamp(min=0).sqrt() / length) if length > 0 else 1.0
        for parameter, gradient in zip(self._parameters, combined, strict=True):
            parameter.grad = gradient * factor
        return agreement(products, sizes[present].tolist())

    def _of_all_processes(self, group: int) -> Sequence[Tensor]:
        own = [
            torch.zeros_like(parameter) if gradient is None else gradient
            for gradient, parameter in zip(self._sums[group], self._parameters, strict=True)
        ]
        self._sums[group] = []
        if self._share.accelerator.num_processes == 1:
            return own
        flat = self._share.sum(torch.cat([gradient.flatten() for gradient in own]))
        parts = torch.split(flat, [gradient.numel() for gradient in own])
        return [part.view_as(gradient) for part, gradient in zip(parts, own, strict=True)]

    def _generator(self) -> torch.Generator:
        """For random orders: a function of the recipe's seed and the step, the same in all processes."""
        rule = self._share.rule
        (seed,) = np.random.SeedSequence((rule.seed, rule.step)).generate_state(1, np.uint64)
        return torch.Generator().manual_seed(int(seed))
