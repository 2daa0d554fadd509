"""The mean cross-entropy of the predicted tokens: what language models are usually trained with."""

from zerosum.training.objective_settings import ObjectiveSettings


class CrossEntropySettings(ObjectiveSettings):
    """Mean cross-entropy; every predicted token has the same weight."""

    kind: str = "cross_entropy"


OBJECTIVE = CrossEntropySettings
