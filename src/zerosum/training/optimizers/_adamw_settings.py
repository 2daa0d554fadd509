"""Settings and state of AdamW, for rules that differ from it in the update alone."""

from typing import TYPE_CHECKING, Any, ClassVar

from zerosum.training.optimizer_settings import NonNegative, PastWeight, SavedLayout
from zerosum.training.optimizers import _adamw_rule as adamw
from zerosum.training.rule_settings import RuleSettings

if TYPE_CHECKING:
    from torch import Tensor


class AdamWLikeSettings(RuleSettings):
    """As AdamW, with the same defaults."""

    saved_layout: ClassVar[SavedLayout] = SavedLayout(group_keys=adamw.NUMBERS, state_keys=adamw.MOMENTS)

    betas: tuple[PastWeight, PastWeight] = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.01

    @classmethod
    def first_state(cls, parameter: "Tensor", group: dict[str, Any]) -> dict[str, Any]:
        """Moments 0."""
        return adamw.zero_moments(parameter)
