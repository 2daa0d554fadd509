"""Adam, with weight decay added to the gradient: `torch.optim.Adam`.

    g = g + decay p
    m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2
    p = p - lr m / (1 - b1^t) / (sqrt(v) / sqrt(1 - b2^t) + eps)

Source: Kingma and Ba 2015, arXiv 1412.6980.
"""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from zerosum.training.identity import Identity
from zerosum.training.optimizer_settings import (
    GoldenTrajectory,
    NonNegative,
    OptimizerSettings,
    PastWeight,
    SavedLayout,
)

if TYPE_CHECKING:
    import torch


def sign_step_note(optimizer: str) -> str:
    """What users must know about a first step of Adam or AdamW without moments."""
    return (
        f"no moments: in its first step {optimizer} moves every coordinate by about the rate times the sign of its "
        "gradient, as no later step of a run does"
    )


class AdamSettings(OptimizerSettings):
    """betas: weights of the past in the running averages of the gradient and of its square, each in [0, 1).

    eps: added to the root of the second average. weight_decay: times the weight, added to the gradient of matrices.
    Defaults are those of torch.
    """

    title: ClassVar[str] = "Adam"
    saved_layout: ClassVar[SavedLayout] = SavedLayout(
        group_keys=("lr", "betas", "eps", "weight_decay", "amsgrad"),
        optional_group_keys=("maximize",),
        state_keys=frozenset({"step", "exp_avg", "exp_avg_sq"}),
        optional_state_keys=frozenset({"max_exp_avg_sq"}),
    )
    cost: ClassVar[str] = "2 numbers a weight, as AdamW"
    identity: ClassVar[Identity | GoldenTrajectory] = Identity({"weight_decay": 0.0}, "adamw", {"weight_decay": 0.0})
    first_step_note: ClassVar[str | None] = sign_step_note("Adam")

    kind: str = "adam"
    betas: tuple[PastWeight, PastWeight] = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0

    @classmethod
    def new(cls, groups: list[dict[str, Any]], *, fused: Literal[True] | None = None) -> "torch.optim.Optimizer":
        """`torch.optim.Adam`."""
        from torch.optim import Adam

        return Adam(groups, fused=fused)

    @classmethod
    def was_saved_in(cls, groups: list[dict[str, Any]]) -> bool:
        """torch marks Adam by `decoupled_weight_decay: False`; older versions mark neither, and are read as AdamW."""
        return any(group.get("decoupled_weight_decay") is False for group in groups)


OPTIMIZER = AdamSettings
