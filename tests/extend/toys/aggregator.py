"""The gradient of a single group, drawn at random: toy."""

import torch

from zerosum.training.aggregator_settings import GroupAggregatorSettings


class LotterySettings(GroupAggregatorSettings):
    kind: str = "lottery"

    def combine(self, gradients, products, generator):
        return list(gradients[int(torch.randint(len(gradients), (), generator=generator))])


AGGREGATOR = LotterySettings
