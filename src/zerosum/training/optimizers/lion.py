"""Lion: every coordinate moves by the rate, against the sign of a mix of momentum and gradient.

    p = (1 - lr decay) p - lr sign(b1 m + (1 - b1) g)
    m = b2 m + (1 - b2) g

Wants a rate of its own range, about a third to a tenth of AdamW's. Where the mix is exactly 0 a coordinate stays.
Compared once with lion_pytorch 0.2.5 over 50 updates in float64: equal bit for bit.
Source: Chen et al. 2023, arXiv 2302.06675.
"""

from typing import TYPE_CHECKING, Any, ClassVar

from zerosum.training.optimizer_settings import GoldenTrajectory, NonNegative, PastWeight, SavedLayout
from zerosum.training.rule_settings import RuleSettings

if TYPE_CHECKING:
    from torch import Tensor


class LionSettings(RuleSettings):
    """betas: weights of the past in the direction and in the momentum, each in [0, 1).

    weight_decay: matrices shrink by lr x weight_decay at each step. Defaults are those of the paper.
    """

    title: ClassVar[str] = "Lion"
    saved_layout: ClassVar[SavedLayout] = SavedLayout(
        group_keys=("kind", "lr", "betas", "weight_decay"), state_keys=frozenset({"exp_avg"})
    )
    cost: ClassVar[str] = "1 number a weight, half of AdamW's; elementwise work"
    identity: ClassVar[GoldenTrajectory] = GoldenTrajectory(
        "no optimizer here takes signs; with beta1 = 0 it is sign descent, which a test compares with its formula",
        {"weight_decay": 0.1},
    )
    first_step_note: ClassVar[str | None] = "no momentum: Lion's first step follows the signs of one batch's gradient"

    kind: str = "lion"
    lr: NonNegative = 1e-4
    betas: tuple[PastWeight, PastWeight] = (0.9, 0.99)
    weight_decay: NonNegative = 0.0

    @property
    def b2(self) -> float | None:
        """None: its second beta is of the momentum."""
        return None

    @classmethod
    def first_state(cls, parameter: "Tensor", group: dict[str, Any]) -> dict[str, Any]:
        """Momentum 0."""
        import torch

        return {"exp_avg": torch.zeros_like(parameter)}

    @classmethod
    def update(cls, parameter: "Tensor", gradient: "Tensor", state: dict[str, Any], group: dict[str, Any]) -> None:
        """The rule above."""
        beta1, beta2 = group["betas"]
        momentum: Tensor = state["exp_avg"]
        direction = momentum.lerp(gradient, 1 - beta1).sign_()
        parameter.mul_(1 - group["lr"] * group["weight_decay"]).sub_(direction, alpha=group["lr"])
        momentum.lerp_(gradient, 1 - beta2)


OPTIMIZER = LionSettings
