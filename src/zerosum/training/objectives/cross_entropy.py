"""The mean cross-entropy of the predicted tokens: what language models are usually trained with."""

from typing import ClassVar

from zerosum.training.objective_settings import ObjectiveSettings


class CrossEntropySettings(ObjectiveSettings):
    """Mean cross-entropy; every predicted token has the same weight."""

    source: ClassVar[str] = "the baseline"

    kind: str = "cross_entropy"


OBJECTIVE = CrossEntropySettings
