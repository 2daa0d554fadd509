"""The gradient of the training loss itself: the mean over all groups of tokens."""

from typing import ClassVar

from zerosum.training.aggregator_settings import AggregatorSettings


class MeanSettings(AggregatorSettings):
    """The gradient of the training loss; tokens are not grouped."""

    source: ClassVar[str] = "the baseline"

    kind: str = "mean"


AGGREGATOR = MeanSettings
