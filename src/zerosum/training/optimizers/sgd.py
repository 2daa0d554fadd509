"""Stochastic gradient descent, with momentum where wanted: `torch.optim.SGD`."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from zerosum.training.optimizer_settings import NonNegative, OptimizerSettings, SavedLayout

if TYPE_CHECKING:
    import torch


class SGDSettings(OptimizerSettings):
    """momentum: share of the last update's direction that is added to the gradient; 0 for none.

    weight_decay: times the weight, added to the gradient of matrices. Defaults are those of torch.
    """

    saved_layout: ClassVar[SavedLayout] = SavedLayout(
        group_keys=("lr", "momentum", "dampening", "weight_decay", "nesterov"),
        optional_group_keys=("maximize",),
        optional_state_keys=frozenset({"momentum_buffer"}),
    )

    kind: str = "sgd"
    momentum: NonNegative = 0.0
    weight_decay: NonNegative = 0.0

    @classmethod
    def new(cls, groups: list[dict[str, Any]], *, fused: Literal[True] | None = None) -> "torch.optim.Optimizer":
        """`torch.optim.SGD`, whose fused kernel is not used."""
        from torch.optim import SGD

        return SGD(groups)


OPTIMIZER = SGDSettings
