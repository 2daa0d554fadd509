"""Muon: momentum whose matrices are made nearly orthogonal; AdamW for embeddings, head and vectors.

    m = momentum m + (1 - momentum) g,  u = momentum m + (1 - momentum) g with Nesterov, else m
    X = u / (|u| + 1e-7), five times X = 3.4445 X - 4.7750 (X X^T) X + 2.0315 (X X^T)^2 X
    p = (1 - lr decay) p - lr scale X

For matrices of linear layers. Maps that a model stores fused, as queries, keys and values in GPT-2, are made orthogonal
one by one. In the precision of the weights; torch's own Muon multiplies in bfloat16. For condition numbers below 100
the cosine between X and U V^T is at least 0.97. Source: Jordan et al. 2024, kellerjordan.github.io/posts/muon.
"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from zerosum.training.optimizer_settings import GoldenTrajectory, NonNegative, PastWeight, SavedLayout
from zerosum.training.optimizers import _adamw_rule as adamw
from zerosum.training.rule_settings import RuleSettings

if TYPE_CHECKING:
    from torch import Tensor, nn

    from zerosum.training.rule_optimizer import RuleOptimizer


class MuonSettings(RuleSettings):
    """lr: of the matrices of linear layers; adamw_lr: of all other parameters, which AdamW updates.

    momentum: weight of the past, in [0, 1). scaling: of each matrix's step, "spectral": sqrt(max(1, outputs / inputs)),
    or "rms": 0.2 sqrt(max(outputs, inputs)). betas, eps: of AdamW. weight_decay: of all matrices.
    """

    title: ClassVar[str] = "Muon"
    saved_layout: ClassVar[SavedLayout] = SavedLayout(
        group_keys=(*adamw.NUMBERS, "lr_factor", "momentum", "nesterov", "scaling", "layout"),
        state_keys=adamw.MOMENTS,
        keys_where={"layout": frozenset({"momentum_buffer"})},
    )
    cost: ClassVar[str] = "1 number a weight for matrices, 2 for others; 15 matrix products for each matrix and update"
    identity: ClassVar[GoldenTrajectory] = GoldenTrajectory(
        "no other optimizer here makes matrices orthogonal", {"weight_decay": 0.1}
    )
    groups_rule: ClassVar[str] = "matrices of linear layers by their layout, other matrices, vectors"
    first_step_note: ClassVar[str | None] = "no momentum: the first step is made of one batch's gradient alone"

    kind: str = "muon"
    lr: NonNegative = 0.02
    adamw_lr: NonNegative = 1e-3
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.95
    nesterov: bool = True
    scaling: Literal["spectral", "rms"] = "spectral"
    betas: tuple[PastWeight, PastWeight] = (0.9, 0.95)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0

    def group_numbers(self) -> dict[str, Any]:
        """lr_factor: of the group's rate over `lr`. layout: of the matrices; None: AdamW updates the group."""
        numbers = super().group_numbers()
        numbers.pop("adamw_lr")
        return {**numbers, "lr_factor": 1.0, "layout": None}

    def groups(self, model: "nn.Module") -> list[dict[str, Any]]:
        """The matrices of linear layers in a group for each layout, then the two groups of AdamW."""
        from zerosum.training.matrices import Layout, linear_maps

        maps = linear_maps(model)
        by_layout: dict[Layout, list[nn.Parameter]] = {}
        for parameter, layout in maps.items():
            by_layout.setdefault(layout, []).append(parameter)
        groups = [
            {"params": parameters, **self.group_numbers(), "layout": asdict(layout)}
            for layout, parameters in by_layout.items()
        ]
        rates = {"lr": self.adamw_lr, "lr_factor": self.adamw_lr / self.lr if self.lr else 1.0}
        for group in super().groups(model):
            others = [parameter for parameter in group["params"] if parameter not in maps]
            groups.append({**group, **rates, "params": others})
        return groups

    @classmethod
    def new(cls, groups: list[dict[str, Any]], *, fused: Literal[True] | None = None) -> "RuleOptimizer":
        """The rule as an optimizer of torch. Raises ValueError or TypeError where a layout does not fit a matrix."""
        from zerosum.training.matrices import Layout

        for group in groups:
            layout = None if group["layout"] is None else Layout(**group["layout"])
            if layout and not all(layout.fits(parameter.shape) for parameter in group["params"]):
                raise ValueError(f"layout {group['layout']}")
        return super().new(groups, fused=fused)

    @classmethod
    def first_state(cls, parameter: "Tensor", group: dict[str, Any]) -> dict[str, Any]:
        """Momentum 0, or AdamW's moments 0."""
        import torch

        if group["layout"] is None:
            return adamw.zero_moments(parameter)
        return {"momentum_buffer": torch.zeros_like(parameter)}

    @classmethod
    def update(cls, parameter: "Tensor", gradient: "Tensor", state: dict[str, Any], group: dict[str, Any]) -> None:
        """The rule above, or AdamW."""
        from zerosum.training.matrices import Layout
        from zerosum.training.optimizers._orthogonal import direction

        if group["layout"] is None:
            adamw.update_by_adamw(parameter, gradient, state, group)
            return
        momentum = state["momentum_buffer"]
        momentum.lerp_(gradient, 1 - group["momentum"])
        update = gradient.lerp(momentum, group["momentum"]) if group["nesterov"] else momentum
        made = direction(update, Layout(**group["layout"]), group["scaling"])
        parameter.mul_(1 - group["lr"] * group["weight_decay"]).sub_(made, alpha=group["lr"])


OPTIMIZER = MuonSettings
