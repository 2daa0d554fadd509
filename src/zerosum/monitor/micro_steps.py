"""Gradients of the micro-batches of an accumulated step: do they agree, and how large is their noise?

Letters: K micro-steps, backward passes before one update; G_k sum of token gradients over micro-batch k.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from zerosum.gradients.noise import NoiseScale, noise_scale
from zerosum.gradients.parameters import in_D_grad, trainable
from zerosum.gradients.sketch import Sketcher
from zerosum.gradients.unit_sums import Sequences
from zerosum.monitor.cost import Cost
from zerosum.monitor.sizes import OF_AN_UPDATE

MICRO_STEP = "micro-step"


class MicroSteps:
    """Takes each micro-batch's gradient as the change of the sum that a backward pass adds to.

    Of the parameters that D_grad is of. Held: a copy of that sum, and a sketch of each gradient, from which pairs are
    compared (see `Sketcher`); of the signs of sketches one byte a parameter.
    """

    def __init__(self, model: Any, cost: Cost):
        self._model, self._cost = model, cost
        self._sketcher: Sketcher | None = None
        self._tensors: list[Tensor] = []
        self._clear()

    def _clear(self) -> None:
        self._step, self._is_refused = -1, False
        self._sum: list[Tensor] = []
        self._tokens: list[int] = []
        self._squared: list[float] = []
        self._sketches: list[Any] = []

    def add(self, step: int, tokens: int) -> bool:
        """After a backward pass of a step; whether the cost allows it. If not, none of the step is measured.

        tokens: predicted ones of its micro-batch, over which the loss is a mean.
        """
        if step != self._step:
            self._clear()
            self._step = step
        seconds = self._cost.predicted(MICRO_STEP) or OF_AN_UPDATE * self._cost.per_update
        if self._is_refused or not self._cost.allows(seconds):
            self._is_refused = True
            return False
        with self._cost.work(MICRO_STEP), torch.no_grad():
            self._take(tokens)
        return True

    def _take(self, tokens: int) -> None:
        if self._sketcher is None:
            parameters = trainable(self._model)
            self._tensors = [own.tensor for own in in_D_grad(parameters)]
            self._sketcher = Sketcher(parameters)
        now = [torch.zeros_like(t) if t.grad is None else t.grad.detach() for t in self._tensors]
        own = [g - before for g, before in zip(now, self._sum, strict=True)] if self._sum else now
        self._squared.append(tokens**2 * sum(float(g.double().square().sum()) for g in own))
        self._sketches.append(tokens * self._sketcher.sketch(own).float().cpu().numpy())
        self._tokens.append(tokens)
        self._sum = [g.clone() for g in now]

    def record(self, step: int) -> NoiseScale | None:
        """Cosine, conflict rate and noise scale of the micro-batches of a step; None of fewer than two or a part."""
        if step != self._step or self._is_refused or len(self._tokens) < 2:
            self._clear()
            return None
        tokens, sketch = np.array(self._tokens), np.stack(self._sketches)
        if (tokens == tokens[0]).all():
            total = float(tokens[0]) ** 2 * sum(float(g.double().square().sum()) for g in self._sum)
        else:  # no sum of theirs is held
            total = float(np.square(sketch.sum(0, dtype=np.float64)).sum())
        sums = Sequences(tokens, np.array(self._squared), sketch, total, np.arange(len(tokens)), MICRO_STEP)
        self._clear()
        return noise_scale(sums)
