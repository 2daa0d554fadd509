"""Stochastic gradient descent, with momentum where wanted: `torch.optim.SGD`.

    g = g + decay p
    m = momentum m + g, which is g at the first update
    p = p - lr m

Source: Polyak 1964, Some methods of speeding up the convergence of iteration methods.
"""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from zerosum.training.optimizer_settings import GoldenTrajectory, NonNegative, OptimizerSettings, SavedLayout

if TYPE_CHECKING:
    import torch


class SGDSettings(OptimizerSettings):
    """momentum: share of the last update's direction that is added to the gradient; 0 for none.

    weight_decay: times the weight, added to the gradient of matrices. Defaults are those of torch.
    """

    title: ClassVar[str] = "SGD"
    saved_layout: ClassVar[SavedLayout] = SavedLayout(
        group_keys=("lr", "momentum", "dampening", "weight_decay", "nesterov"),
        optional_group_keys=("maximize",),
        optional_state_keys=frozenset({"momentum_buffer"}),
    )
    cost: ClassVar[str] = "1 number a weight with momentum, none without; elementwise work"
    identity: ClassVar[GoldenTrajectory] = GoldenTrajectory(
        "no other optimizer here moves in proportion to the gradient", {"momentum": 0.9, "weight_decay": 0.1}
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
