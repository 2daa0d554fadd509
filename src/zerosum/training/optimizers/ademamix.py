"""AdEMAMix: AdamW with a second, slow average of the gradient.

    m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  s = b3_t s + (1 - b3_t) g
    p = (1 - lr decay) p - lr (m / (1 - b1^t) + alpha_t s) / (sqrt(v) / sqrt(1 - b2^t) + eps)
    alpha_t = alpha min(1, t / T)
    b3_t = f^-1((1 - t/T) f(b1) + t/T f(b3)) for t < T, then b3;  f(b) = ln 0.5 / ln(b + 1e-8) - 1, about its half-life

s has no bias correction, on purpose. T is the number of updates of the run, so another number of updates is another
method; and b3 has to suit the run: with b3 = 0.9999 and alpha = 8 a tiny run of 2,048 updates diverged, while
b3 = 0.999 and alpha = 2 trained well. A b2 far below b3 lets rows of rare tokens run away: once their gradients stop, v
falls faster than s, and s / sqrt(v) grows until eps bounds it. With b2 = 0.95 and b3 = 0.9999, rows of a tied embedding
of bytes had norms of 17,000 after 19,661 updates, and single batches losses of 100 nats; the paper has b2 = 0.999.

Compared once with pytorch_optimizer 4.1.0 over 50 updates in float64: equal, and with a rise to 9e-7, because that
package leaves out the 1e-8 in f. Source: Pagliardini et al. 2024, arXiv 2409.03137.
"""

import math
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from zerosum.training.identity import Identity
from zerosum.training.optimizer_settings import NonNegative, PastWeight, SavedLayout
from zerosum.training.optimizers import _adamw_rule as adamw
from zerosum.training.optimizers.adam import sign_step_note
from zerosum.training.rule_settings import RuleSettings

if TYPE_CHECKING:
    from torch import Tensor

HalfLived = Annotated[float, Field(ge=0, le=1 - 1e-7)]
"""Weight of the past whose half-life f(b) is defined."""


class AdEMAMixSettings(RuleSettings):
    """betas: weights of the past in the fast average, in the average of squares and in the slow average.

    alpha: weight of the slow average. rise_steps: T, the updates over which alpha and the third of betas rise; 0: the
    updates of the run, and no rise at all outside a run. eps, weight_decay: as AdamW. betas and alpha are the paper's.
    """

    title: ClassVar[str] = "AdEMAMix"
    saved_layout: ClassVar[SavedLayout] = SavedLayout(
        group_keys=(*adamw.NUMBERS, "alpha", "rise_steps"), state_keys=adamw.MOMENTS | {"exp_avg_slow"}
    )
    cost: ClassVar[str] = "3 numbers a weight, one more than AdamW; elementwise work"
    identity: ClassVar[Identity] = Identity({"alpha": 0.0, "betas": (0.9, 0.999, 0.9999)}, "adamw", tolerance=1e-14)
    first_step_note: ClassVar[str | None] = sign_step_note("AdEMAMix")

    kind: str = "ademamix"
    betas: tuple[HalfLived, PastWeight, HalfLived] = (0.9, 0.999, 0.9999)
    alpha: NonNegative = 8.0
    rise_steps: Annotated[int, Field(ge=0)] = 0
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.01

    @property
    def horizon(self) -> int | None:
        """T where it is set."""
        return self.rise_steps or None

    def for_run(self, steps: int) -> "AdEMAMixSettings":
        """T is the number of updates of the run, unless another is set."""
        return self if self.rise_steps else self.model_copy(update={"rise_steps": steps})

    @classmethod
    def first_state(cls, parameter: "Tensor", group: dict[str, Any]) -> dict[str, Any]:
        """Averages 0."""
        return adamw.zero_moments(parameter, ("exp_avg", "exp_avg_sq", "exp_avg_slow"))

    @classmethod
    def update(cls, parameter: "Tensor", gradient: "Tensor", state: dict[str, Any], group: dict[str, Any]) -> None:
        """The rule above."""
        t = adamw.advance(state)
        alpha, beta3 = rising(t, group["rise_steps"], group["alpha"], group["betas"])
        adamw.average(state, gradient, group["betas"])
        state["exp_avg_slow"].lerp_(gradient, 1 - beta3)
        mixed = (state["exp_avg"] / (1 - group["betas"][0] ** t)).add_(state["exp_avg_slow"], alpha=alpha)
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.addcdiv_(mixed, adamw.root(state, t, group), value=-group["lr"])


def rising(t: int, steps: int, alpha: float, betas: tuple[float, float, float]) -> tuple[float, float]:
    """alpha and the slow average's weight of the past at update t (1 is the first), as above.

    >>> rising(8, steps=8, alpha=8.0, betas=(0.9, 0.999, 0.9999)), rising(4, 8, 8.0, (0.9, 0.999, 0.9))[0]
    ((8.0, 0.9999), 4.0)
    """
    if t >= steps:
        return alpha, betas[2]
    share = t / steps
    mixed = (1 - share) * _half_life(betas[0]) + share * _half_life(betas[2])
    return alpha * share, 0.5 ** (1 / (mixed + 1))


def _half_life(beta: float) -> float:
    return math.log(0.5) / math.log(beta + 1e-8) - 1


OPTIMIZER = AdEMAMixSettings
