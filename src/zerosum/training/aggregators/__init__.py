"""Gradient aggregators, one file each: the file's name is the kind, its `AGGREGATOR` the class of its settings."""

from typing import TYPE_CHECKING

from zerosum.training.kinds import Kinds

if TYPE_CHECKING:
    from zerosum.training.aggregator_settings import AggregatorSettings

AGGREGATORS: "Kinds[AggregatorSettings]" = Kinds("aggregator", __name__)
