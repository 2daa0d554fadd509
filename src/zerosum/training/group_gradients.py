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
        self._sums: list[dict[Tensor, Tensor]] = [{} for _ in range(aggregator.groups)]

    def collect(self, group: int) -> None:
        """Add the gradients of the parameters to those of a group, and remove them from the parameters."""
        sums = self._sums[group]
        for parameter in self._share.model.parameters():
            if parameter.grad is not None:
                sums[parameter] = sums[parameter].add_(parameter.grad) if parameter in sums else parameter.grad
            parameter.grad = None

    def combine(self, sizes: Int64[Tensor, " K"]) -> dict[str, float]:
        """Give the parameters the gradient that the aggregator makes; returns the columns of the log about it.

        It has the norm of the gradient of the training loss. sizes: tokens of each group in the whole batch; groups
        without any are left out, and so are parameters without a gradient in any group.
        """
        present = sizes.nonzero().flatten().tolist()
        parameters = self._with_gradients()
        gradients = [self._of_all_processes(group, parameters) for group in present]
        products = inner_products(gradients)
        combined = self._aggregator.combine(gradients, products, self._generator())
        length = inner_products([combined]).sum().sqrt()
        factor = float(products.sum().clamp(min=0).sqrt() / length) if length > 0 else 1.0
        for parameter, gradient in zip(parameters, combined, strict=True):
            parameter.grad = gradient * factor
        return agreement(products, sizes[present].tolist())

    def _with_gradients(self) -> list[Tensor]:
        """Parameters that have a gradient in some group; all that are trained where processes share the work."""
        trained = [parameter for parameter in self._share.model.parameters() if parameter.requires_grad]
        if self._share.accelerator.num_processes > 1:
            return trained
        return [parameter for parameter in trained if any(parameter in sums for sums in self._sums)]

    def _of_all_processes(self, group: int, parameters: Sequence[Tensor]) -> Sequence[Tensor]:
        sums, self._sums[group] = self._sums[group], {}
        own = [sums[parameter] if parameter in sums else torch.zeros_like(parameter) for parameter in parameters]
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
