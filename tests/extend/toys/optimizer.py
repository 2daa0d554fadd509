"""Sign descent: every coordinate moves by lr against the sign of its gradient."""

from typing import ClassVar

import torch
from torch.optim import Optimizer

from zerosum.training.optimizer_settings import NonNegative, OptimizerSettings, SavedLayout


class Sign(Optimizer):
    def __init__(self, groups):
        super().__init__(groups, {"weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.mul_(1 - group["lr"] * group["weight_decay"]).sub_(group["lr"] * parameter.grad.sign())


class SignSettings(OptimizerSettings):
    title: ClassVar[str] = "Sign"
    saved_layout: ClassVar[SavedLayout] = SavedLayout(group_keys=("lr", "weight_decay"))

    kind: str = "signed"
    weight_decay: NonNegative = 0.0

    @classmethod
    def new(cls, groups, *, fused=None):
        return Sign(groups)


OPTIMIZER = SignSettings
