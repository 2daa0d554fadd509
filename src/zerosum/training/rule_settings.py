"""Base of the optimizers whose rule is written here, for one parameter at a time. Needs no torch when imported."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Literal

from zerosum.training.optimizer_settings import OptimizerSettings

if TYPE_CHECKING:
    from torch import Tensor

    from zerosum.training.rule_optimizer import RuleOptimizer


class RuleSettings(OptimizerSettings):
    """Settings of an optimizer that is a rule for one parameter, in plain operations of torch, one after another.

    There is no second, faster version of a rule that would round differently, and every operation takes sharded
    parameters (DTensor). The saved groups hold the `kind`, by which the state is recognized.
    """

    @classmethod
    @abstractmethod
    def first_state(cls, parameter: "Tensor", group: dict[str, Any]) -> "dict[str, Any]":
        """The state of a parameter before its first update: tensors of its shape, and single numbers.

        A count of updates is called "step" and is a tensor, as torch expects; other single numbers are floats.
        """

    @classmethod
    @abstractmethod
    def update(cls, parameter: "Tensor", gradient: "Tensor", state: dict[str, Any], group: dict[str, Any]) -> None:
        """One update of a parameter and of its state, in place. group: the numbers of its group. The gradient stays."""

    @classmethod
    def new(cls, groups: list[dict[str, Any]], *, fused: Literal[True] | None = None) -> "RuleOptimizer":
        """The rule as an optimizer of torch."""
        from zerosum.training.rule_optimizer import RuleOptimizer

        return RuleOptimizer(groups, cls.first_state, cls.update)

    @classmethod
    def was_saved_in(cls, groups: list[dict[str, Any]]) -> bool:
        """Whether the groups name this kind."""
        return bool(groups[0].get("kind") == cls.model_fields["kind"].default)

    def group_numbers(self) -> dict[str, Any]:
        """The settings, and the kind."""
        return {"kind": self.kind, **super().group_numbers()}
