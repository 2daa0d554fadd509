"""The rule of AdamW for one parameter, in the order and rounding of torch's plain version.

m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2
u = m / (sqrt(v) / sqrt(1 - b2^t) + eps) / (1 - b1^t)
p = (1 - lr decay) p - lr u
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

MOMENTS = frozenset({"step", "exp_avg", "exp_avg_sq"})
NUMBERS = ("kind", "lr", "betas", "eps", "weight_decay")


def zero_moments(parameter: "Tensor", names: tuple[str, ...] = ("exp_avg", "exp_avg_sq")) -> dict[str, Any]:
    """Moments of the parameter's shape, all 0, and the count of updates."""
    import torch

    return {"step": torch.tensor(0.0), **{name: torch.zeros_like(parameter) for name in names}}


def advance(state: dict[str, Any]) -> int:
    """Count the update; its number t, 1 being the first."""
    state["step"] += 1
    return int(state["step"])


def average(state: dict[str, Any], gradient: "Tensor", betas: tuple[float, ...]) -> None:
    """Move the running averages m of the gradient and v of its square."""
    state["exp_avg"].lerp_(gradient, 1 - betas[0])
    average_square(state, gradient, betas[1])


def average_square(state: dict[str, Any], gradient: "Tensor", beta2: float) -> None:
    """Move the running average v of the squared gradient."""
    state["exp_avg_sq"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)


def root(state: dict[str, Any], t: int, group: dict[str, Any]) -> "Tensor":
    """sqrt(v) / sqrt(1 - b2^t) + eps."""
    denominator: Tensor = (state["exp_avg_sq"].sqrt() / (1 - group["betas"][1] ** t) ** 0.5).add_(group["eps"])
    return denominator


def update_by_adamw(parameter: "Tensor", gradient: "Tensor", state: dict[str, Any], group: dict[str, Any]) -> None:
    """One update by AdamW."""
    t = advance(state)
    average(state, gradient, group["betas"])
    parameter.mul_(1 - group["lr"] * group["weight_decay"])
    rate = group["lr"] / (1 - group["betas"][0] ** t)
    parameter.addcdiv_(state["exp_avg"], root(state, t, group), value=-rate)
