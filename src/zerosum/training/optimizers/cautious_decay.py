"""Cautious weight decay: AdamW whose decay acts only on coordinates that the step moves towards 0.

    u = m / (1 - b1^t) / (sqrt(v) / sqrt(1 - b2^t) + eps), as in AdamW
    p = p - lr u - lr decay [u p > 0] p

Where u is exactly 0, as in embeddings of tokens not seen yet, nothing decays; the paper decays there (u p >= 0).
Source: Chen et al. 2025, arXiv 2510.12402.
"""

from typing import TYPE_CHECKING, Any, ClassVar

from zerosum.training.identity import Identity
from zerosum.training.optimizers import _adamw_rule as adamw
from zerosum.training.optimizers._adamw_settings import AdamWLikeSettings
from zerosum.training.optimizers.adam import sign_step_note

if TYPE_CHECKING:
    from torch import Tensor


class CautiousDecaySettings(AdamWLikeSettings):
    """As AdamW, with the same defaults."""

    title: ClassVar[str] = "AdamW with cautious decay"
    cost: ClassVar[str] = "2 numbers a weight, as AdamW; elementwise work"
    identity: ClassVar[Identity] = Identity({"weight_decay": 0.0}, "adamw", {"weight_decay": 0.0})
    first_step_note: ClassVar[str | None] = sign_step_note("AdamW with cautious decay")

    kind: str = "cautious_decay"

    @classmethod
    def update(cls, parameter: "Tensor", gradient: "Tensor", state: dict[str, Any], group: dict[str, Any]) -> None:
        """The rule above."""
        t = adamw.advance(state)
        adamw.average(state, gradient, group["betas"])
        towards_zero = (state["exp_avg"].sign() * parameter > 0).to(parameter.dtype)
        parameter.addcmul_(parameter, towards_zero, value=-group["lr"] * group["weight_decay"])
        rate = group["lr"] / (1 - group["betas"][0] ** t)
        parameter.addcdiv_(state["exp_avg"], adamw.root(state, t, group), value=-rate)


OPTIMIZER = CautiousDecaySettings
