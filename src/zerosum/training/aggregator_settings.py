"""What every gradient aggregator declares: groups of tokens, and how their gradients become one gradient."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from zerosum.training.settings import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Generator, Tensor


class AggregatorSettings(Kind):
    """Settings of an aggregator; every aggregator subclasses this, or `GroupAggregatorSettings`, and adds its own."""


class GroupAggregatorSettings(AggregatorSettings):
    """Settings of an aggregator that computes the gradient of each group of tokens.

    groups: number of groups. by: what makes a group: sequences that are neighbours in the batch (micro_batches), tokens
    of similar loss (loss_quantiles), or sequences of one domain (domains).
    """

    groups: int = Field(default=4, ge=2, le=8)
    by: Literal["micro_batches", "loss_quantiles", "domains"] = "micro_batches"

    @abstractmethod
    def combine(self, gradients: "Sequence[Sequence[Tensor]]", generator: "Generator") -> "list[Tensor]":
        """One gradient for each parameter from the gradients of K groups.

        gradients: [K][parameter]; their sum over groups is the gradient of the training loss. generator: for random
        orders, seeded by the recipe's seed and the step. The result has the norm of that sum.
        """
