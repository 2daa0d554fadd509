"""Schedule-free AdamW: gradients at y, between the steps z and their running mean x; x is evaluated and saved.

    v = b2 v + (1 - b2) g^2,  g the gradient at y
    z = z - lr (g / (sqrt(v) / sqrt(1 - b2^t) + eps) + decay y)
    x = (1 - c) x + c z,  c = w_t / (w_1 + ... + w_t),  w_t the square of the largest rate so far
    y = b1 x + (1 - b1) z

During training the parameters of the model hold y. The rate stays constant after its warm-up. x is kept instead of
being recovered from y and z, which b1 = 0 makes impossible. Compared once with schedulefree 1.4.1 over 50 updates in
float64: equal to 5e-16. Source: Defazio et al. 2024, arXiv 2405.15682.
"""

from typing import TYPE_CHECKING, Any, ClassVar

from zerosum.training.identity import Identity
from zerosum.training.optimizer_settings import NonNegative, PastWeight, SavedLayout
from zerosum.training.optimizers import _adamw_rule as adamw
from zerosum.training.rule_settings import RuleSettings

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer


class ScheduleFreeSettings(RuleSettings):
    """betas: weight of the mean x in y, and weight of the past in the average of squares, each in [0, 1).

    eps, weight_decay: as AdamW; matrices decay towards 0 at y. Defaults are those of the authors' code.
    """

    title: ClassVar[str] = "Schedule-free AdamW"
    saved_layout: ClassVar[SavedLayout] = SavedLayout(
        group_keys=adamw.NUMBERS,
        state_keys=frozenset({"step", "x", "z", "exp_avg_sq", "weight_sum", "largest_lr"}),
        single_numbers=frozenset({"step", "weight_sum", "largest_lr"}),
    )
    cost: ClassVar[str] = "3 numbers a weight, one more than AdamW; elementwise work"
    identity: ClassVar[Identity] = Identity({"betas": (0.0, 0.999)}, "adamw", {"betas": (0.0, 0.999)}, tolerance=1e-13)
    schedules: ClassVar[tuple[str, ...] | None] = ("constant",)
    step_note: ClassVar[str | None] = (
        "schedule-free: losses are those of the averaged weights x, which a checkpoint holds; the gradient of the step "
        "is taken at y, between x and the latest z"
    )

    evaluated_at: ClassVar[str | None] = (
        "the weights x, at which schedule-free evaluates: x is itself the running mean of the steps z"
    )

    kind: str = "schedule_free"
    lr: NonNegative = 2.5e-3
    betas: tuple[PastWeight, PastWeight] = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0

    @classmethod
    def first_state(cls, parameter: "Tensor", group: dict[str, Any]) -> dict[str, Any]:
        """x and z are the first weights."""
        moments = adamw.zero_moments(parameter, ("exp_avg_sq",))
        return {**moments, "x": parameter.clone(), "z": parameter.clone(), "weight_sum": 0.0, "largest_lr": 0.0}

    @classmethod
    def update(cls, parameter: "Tensor", gradient: "Tensor", state: dict[str, Any], group: dict[str, Any]) -> None:
        """The rule above."""
        t, lr = adamw.advance(state), group["lr"]
        adamw.average_square(state, gradient, group["betas"][1])
        direction = (gradient / adamw.root(state, t, group)).add_(parameter, alpha=group["weight_decay"])
        state["largest_lr"] = max(state["largest_lr"], lr)
        weight = state["largest_lr"] ** 2
        state["weight_sum"] += weight
        state["z"].sub_(direction, alpha=lr)
        state["x"].lerp_(state["z"], weight / state["weight_sum"] if weight else 1.0)
        parameter.copy_(between(state, group["betas"][0]))

    @classmethod
    def load_training_weights(cls, optimizer: "Optimizer") -> None:
        """Write y into the parameters."""
        for parameter, state, beta1 in _updated(optimizer):
            parameter.copy_(between(state, beta1))

    @classmethod
    def load_evaluation_weights(cls, optimizer: "Optimizer") -> None:
        """Write x into the parameters."""
        for parameter, state, _ in _updated(optimizer):
            parameter.copy_(state["x"])

    @classmethod
    def evaluated(cls, optimizer: "Optimizer", parameter: "Tensor") -> "Tensor":
        """x; before the first update the parameter itself."""
        x: Tensor = optimizer.state.get(parameter, {}).get("x", parameter)
        return x


def between(state: dict[str, Any], beta1: float) -> "Tensor":
    """y = b1 x + (1 - b1) z.

    Two products and a sum, each rounded on its own: so y is the same bit for bit whenever it is computed again, with
    any number of threads. In a fused multiply-add, the numbers at the end of a thread's share are rounded otherwise.
    """
    y: Tensor = (state["x"] * beta1).add_(state["z"] * (1 - beta1))
    return y


def _updated(optimizer: "Optimizer") -> list[tuple["Tensor", dict[str, Any], float]]:
    """The parameters that were updated, outside of autograd, with their state and b1."""
    return [
        (parameter.detach(), optimizer.state[parameter], group["betas"][0])
        for group in optimizer.param_groups
        for parameter in group["params"]
        if optimizer.state.get(parameter)
    ]


OPTIMIZER = ScheduleFreeSettings
