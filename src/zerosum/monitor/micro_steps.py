"""Gradients of the micro-batches of an accumulated step: do they agree, and how large is their noise?

Letters: K micro-steps, backward passes before one update; g_k gradient that pass k adds, G_k sum of the gradients of
the tokens of micro-batch k.
"""

from dataclasses import dataclass, replace
from math import nan
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
NO_TOKENS = "how many tokens each micro-batch predicts is not known"


@dataclass(frozen=True)
class MicroBatch:
    """tokens: predicted ones; None where that is not known. is_mean: whether its loss is a mean over them.

    Otherwise it is a sum over them, divided by the same number for all micro-batches of a step.
    """

    tokens: int | None = None
    is_mean: bool = True

    @property
    def weight(self) -> int:
        """G_k over g_k, but for a factor that all micro-batches of a step have in common."""
        return self.tokens if self.is_mean and self.tokens is not None else 1


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
        self._batches: list[MicroBatch] = []
        self._squared: list[float] = []
        self._sketches: list[Any] = []

    def add(self, step: int, batch: MicroBatch) -> bool:
        """After a backward pass of a step; whether the cost allows it. If not, none of the step is measured."""
        if step != self._step:
            self._clear()
            self._step = step
        seconds = self._cost.predicted(MICRO_STEP) or OF_AN_UPDATE * self._cost.per_update
        if self._is_refused or not self._cost.allows(seconds):
            self._is_refused = True
            return False
        with self._cost.work(MICRO_STEP), torch.no_grad():
            self._take(batch)
        return True

    def _take(self, batch: MicroBatch) -> None:
        if self._sketcher is None:
            parameters = trainable(self._model)
            self._tensors = [own.tensor for own in in_D_grad(parameters)]
            self._sketcher = Sketcher(parameters)
        now = [torch.zeros_like(t) if t.grad is None else t.grad.detach() for t in self._tensors]
        own = [g - before for g, before in zip(now, self._sum, strict=True)] if self._sum else now
        self._squared.append(_squared(own))
        self._sketches.append(self._sketcher.sketch(own).float().cpu().numpy())
        self._batches.append(batch)
        self._sum = [g.clone() for g in now]

    def record(self, step: int) -> NoiseScale | None:
        """Cosine, conflict rate and noise scale of the micro-batches of a step.

        None of fewer than two or a part, and where a gradient is not finite, as after an overflow in half precision.
        """
        if step != self._step or self._is_refused or len(self._batches) < 2 or not np.isfinite(self._squared).all():
            self._clear()
            return None
        known = [batch.tokens for batch in self._batches if batch.tokens is not None]
        is_known = len(known) == len(self._batches) and sum(known) > 0
        batches = self._batches if is_known else [MicroBatch(1)] * len(self._batches)
        tokens, weight = (np.array([getattr(batch, name) for batch in batches]) for name in ("tokens", "weight"))
        sketch = weight.astype(np.float32)[:, None] * np.stack(self._sketches)
        if (weight == weight[0]).all():
            total = float(weight[0]) ** 2 * _squared(self._sum)
        else:  # no sum of theirs is held
            total = float(np.square(sketch.sum(0, dtype=np.float64)).sum())
        squared = weight.astype(float) ** 2 * self._squared
        noise = noise_scale(Sequences(tokens, squared, sketch, total, np.arange(len(tokens)), MICRO_STEP))
        self._clear()
        return noise if is_known else _without_noise_scale(noise)


def _squared(gradients: list[Tensor]) -> float:
    """|g|^2 of all tensors together."""
    return sum(float(g.double().square().sum()) for g in gradients)


def _without_noise_scale(noise: NoiseScale) -> NoiseScale:
    """It would be in micro-batches and not in tokens."""
    reasons = {**noise.reasons, "noise_scale": NO_TOKENS}
    return replace(noise, noise_scale=nan, at_least=nan, intervals={}, reasons=reasons)
