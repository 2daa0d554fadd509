"""Cautious AdamW: AdamW in which a coordinate waits while its step disagrees with the gradient of the batch.

    m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2
    mask = [m g > 0],  mask = mask / max(mean of mask, 0.001), for each tensor
    p = (1 - lr decay) p - lr mask m / (1 - b1^t) / (sqrt(v) / sqrt(1 - b2^t) + eps)

So no coordinate works against the batch: without decay C_uG, measured on the batch of the step, is 1 at every step.
The mask is divided by its mean, as in the paper; code in use that divides by (n + 1) / (number of ones + 1) instead is
never exactly AdamW. A gradient of exactly 0, as of untied embeddings of tokens that the batch lacks, counts as
disagreement. Decay acts on all coordinates. Source: Liang et al. 2024, arXiv 2411.16085.
"""

from typing import TYPE_CHECKING, Any, ClassVar

from zerosum.training.identity import Identity
from zerosum.training.optimizers import _adamw_rule as adamw
from zerosum.training.optimizers._adamw_settings import AdamWLikeSettings
from zerosum.training.optimizers.adam import sign_step_note

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST_SHARE = 1e-3


class CautiousAdamWSettings(AdamWLikeSettings):
    """As AdamW, with the same defaults."""

    title: ClassVar[str] = "Cautious AdamW"
    cost: ClassVar[str] = "2 numbers a weight, as AdamW; elementwise work and a mean of each tensor"
    identity: ClassVar[Identity] = Identity({"betas": (0.0, 0.999)}, "adamw", {"betas": (0.0, 0.999)})
    first_step_note: ClassVar[str | None] = sign_step_note("Cautious AdamW")

    kind: str = "cautious_adamw"

    @classmethod
    def update(cls, parameter: "Tensor", gradient: "Tensor", state: dict[str, Any], group: dict[str, Any]) -> None:
        """The rule above."""
        t = adamw.advance(state)
        adamw.average(state, gradient, group["betas"])
        # The sign, because the product of two tiny numbers is 0.
        mask = (state["exp_avg"].sign() * gradient > 0).to(gradient.dtype)
        mask /= (mask.sum() / mask.numel()).clamp(min=SMALLEST_SHARE)
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        rate = group["lr"] / (1 - group["betas"][0] ** t)
        parameter.addcdiv_(state["exp_avg"] * mask, adamw.root(state, t, group), value=-rate)


OPTIMIZER = CautiousAdamWSettings
