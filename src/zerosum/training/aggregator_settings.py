"""What every gradient aggregator declares: groups of tokens, and how their gradients become one gradient."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from zerosum.training.identity import Identity
from zerosum.training.settings import Kind

if TYPE_CHECKING:
    from jaxtyping import Float64
    from torch import Generator, Tensor

GroupBy = Literal["micro_batches", "loss_quantiles", "domains"]


class AggregatorSettings(Kind):
    """Settings of an aggregator; every aggregator subclasses this, or `GroupAggregatorSettings`, and adds its own."""

    source: ClassVar[str] = ""
    """Where the rule was published."""
    cost: ClassVar[str] = "none"
    """What a step costs beyond the baseline's, in words."""
    identity: ClassVar[Identity | None] = None
    """Settings at which it equals the mean; None for the mean itself."""

    @property
    def needs_domains(self) -> bool:
        """Whether the domains of the sequences decide the gradient."""
        return False

    def require_fit(self, sequences: int, sharding: str) -> None:
        """Raise ValueError where batches of so many sequences, or a sharded model, cannot be trained with it."""


class GroupAggregatorSettings(AggregatorSettings):
    """Settings of an aggregator that computes the gradient of each group of tokens.

    groups: number of groups. by: what makes a group: sequences that are neighbours in the batch (micro_batches), tokens
    of similar loss (loss_quantiles), or sequences of one domain (domains; domain d is in group d modulo `groups`).
    """

    cost: ClassVar[str] = (
        "memory for one gradient of each group; by loss_quantiles also a backward pass for each group, and with "
        "gradient accumulation one more forward pass"
    )

    groups: int = Field(default=4, ge=2, le=8)
    by: GroupBy = "micro_batches"

    @property
    def needs_domains(self) -> bool:
        """Whether groups are domains."""
        return self.by == "domains"

    def require_fit(self, sequences: int, sharding: str) -> None:
        """Every micro-batch has a sequence, and every process the whole gradient of a group."""
        if sharding != "none":
            raise ValueError(
                f"aggregator {self.kind} needs whole gradients, which no process has with sharding {sharding}: "
                "set sharding: none"
            )
        if self.by == "micro_batches" and self.groups > sequences:
            raise ValueError(f"aggregator.groups {self.groups}: more than batch.sequences {sequences}")

    @abstractmethod
    def combine(
        self, gradients: Sequence[Sequence["Tensor"]], products: "Float64[Tensor, 'K K']", generator: "Generator"
    ) -> "list[Tensor]":
        """One gradient for each parameter from those of K groups; the caller gives it the norm of their sum.

        gradients: [K][parameter]; their sum over groups is the gradient of the training loss. products: [K, K] inner
        products of the groups' gradients, on the CPU. generator: for random orders; a function of the recipe's seed and
        the step.
        """
