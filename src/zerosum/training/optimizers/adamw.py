"""AdamW, Adam with decoupled weight decay: `torch.optim.AdamW`.

    m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2
    p = (1 - lr decay) p - lr m / (1 - b1^t) / (sqrt(v) / sqrt(1 - b2^t) + eps)

Source: Loshchilov and Hutter 2019, arXiv 1711.05101.
"""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from zerosum.training.identity import Identity
from zerosum.training.optimizer_settings import GoldenTrajectory, NonNegative
from zerosum.training.optimizers.adam import AdamSettings, sign_step_note

if TYPE_CHECKING:
    import torch


class AdamWSettings(AdamSettings):
    """As Adam, but weight_decay shrinks matrices by lr x weight_decay at each step. Defaults are those of torch."""

    title: ClassVar[str] = "AdamW"
    cost: ClassVar[str] = "2 numbers a weight; elementwise work"
    identity: ClassVar[Identity | GoldenTrajectory] = Identity({"weight_decay": 0.0}, "adam", {"weight_decay": 0.0})
    first_step_note: ClassVar[str | None] = sign_step_note("AdamW")

    kind: str = "adamw"
    weight_decay: NonNegative = 0.01

    @classmethod
    def new(cls, groups: list[dict[str, Any]], *, fused: Literal[True] | None = None) -> "torch.optim.Optimizer":
        """`torch.optim.AdamW`."""
        from torch.optim import AdamW

        return AdamW(groups, fused=fused)

    @classmethod
    def was_saved_in(cls, groups: list[dict[str, Any]]) -> bool:
        """Every saved state that is not marked as Adam's."""
        return not AdamSettings.was_saved_in(groups)


OPTIMIZER = AdamWSettings
