"""What decides the gradient of a batch beside the model: objective, reference model, aggregator, seed."""

from dataclasses import dataclass
from typing import Any

from zerosum.training.aggregator_settings import AggregatorSettings, GroupAggregatorSettings
from zerosum.training.aggregators.mean import MeanSettings
from zerosum.training.objective_settings import ObjectiveSettings
from zerosum.training.objectives.cross_entropy import CrossEntropySettings

CROSS_ENTROPY, MEAN = CrossEntropySettings(), MeanSettings()


@dataclass(frozen=True)
class GradientRule:
    """How the gradient of an update is computed. reference: the objective's model; None where it has none.

    seed, step: of the run, and number of its updates so far; random orders are a function of both.
    """

    objective: ObjectiveSettings = CROSS_ENTROPY
    aggregator: AggregatorSettings = MEAN
    reference: Any = None
    seed: int = 0
    step: int = 0

    @property
    def groups(self) -> GroupAggregatorSettings | None:
        """The aggregator where it combines gradients of groups of tokens; None where it takes their mean."""
        return self.aggregator if isinstance(self.aggregator, GroupAggregatorSettings) else None

    @property
    def is_plain(self) -> bool:
        """Whether it is the gradient of the mean cross-entropy."""
        return self.objective.is_plain and self.groups is None

    def record(self) -> dict[str, Any]:
        """What decides the gradients, for the record of a result; nothing of the plain rule."""
        if self.is_plain:
            return {}
        parts = {"objective": self.objective.model_dump(), "aggregator": self.aggregator.model_dump()}
        return {**parts, "seed": self.seed, "step": self.step}


PLAIN = GradientRule()
