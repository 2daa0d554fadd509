"""When agreement between token gradients had halved, layer by layer. Letters: t checkpoints."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from zerosum.gradients._parameter_set import ParameterSet
from zerosum.gradients._result import GradientInterference
from zerosum.gradients.over_training._record import Comparable
from zerosum.gradients.parameters import NOT_IN_D_GRAD, layer_of


@dataclass(frozen=True)
class Halving:
    """Where a falling quantity came down to half of its largest value; NaN where it did not.

    step: interpolated on the logarithm of the step between the checkpoints `low` and `high`; `high` where low is 0.
    largest: its largest value.
    """

    step: float
    low: float
    high: float
    largest: float

    @property
    def within(self) -> bool:
        """Whether it is within the checkpoints."""
        return math.isfinite(self.step)


def halving(step: Float[np.ndarray, " t"], value: Float[np.ndarray, " t"]) -> Halving:
    """The first time after its largest value that `value` is at most half of that. NaN in value: left out.

    >>> halving(np.array([1.0, 10.0, 100.0]), np.array([0.8, 0.6, 0.2])).step.__round__(6)
    31.622777
    >>> halving(np.array([1.0, 10.0]), np.array([0.8, 0.6])).within
    False
    """
    known = np.isfinite(value)
    t, a = step[known], value[known]
    if not len(a):
        return Halving(math.nan, math.nan, math.nan, math.nan)
    top = int(np.argmax(a))
    largest = float(a[top])
    below = np.nonzero(a[top:] <= largest / 2)[0]
    if largest <= 0 or not len(below):
        return Halving(math.nan, math.nan, math.nan, largest)
    k = top + int(below[0])
    low, high = float(t[k - 1]), float(t[k])
    share = (a[k - 1] - largest / 2) / (a[k - 1] - a[k])
    at = low * (high / low) ** float(share) if low > 0 else high
    return Halving(at, low, high, largest)


@dataclass(frozen=True, eq=False)
class LayerAgreement:
    """Agreement 1 - D_grad of one layer at each step, in [0, 1], NaN where it is not known; when it had halved.

    depth: place of the layer in the model, from 0.
    """

    layer: str
    depth: int
    step: Float[np.ndarray, " t"]
    agreement: Float[np.ndarray, " t"]
    halved: Halving


def agreement_by_layer(several: Comparable) -> tuple[LayerAgreement, ...]:
    """Layers that hold more than embedding and head, those that lost half of their agreement first before others.

    Of layers that halved at the same step, or not at all, the one nearer to the input comes first. Nothing of a single
    checkpoint.
    """
    if len(several.checkpoints) < 2:
        return ()
    steps = np.array([float(checkpoint.step or 0) for checkpoint in several.checkpoints])
    by_checkpoint = [layers_in_D_grad(checkpoint) for checkpoint in several.checkpoints]
    agreements = []
    for depth, name in enumerate(dict.fromkeys(name for layers in by_checkpoint for name in layers)):
        values = np.array([1 - layers[name].D_grad if name in layers else math.nan for layers in by_checkpoint])
        if np.isfinite(values).any():
            agreements.append(LayerAgreement(name, depth, steps, values, halving(steps, values)))
    return tuple(
        sorted(agreements, key=lambda layer: (layer.halved.step if layer.halved.within else math.inf, layer.depth))
    )


def layers_in_D_grad(checkpoint: GradientInterference) -> dict[str, ParameterSet]:
    """Layer -> its numbers, without layers of nothing but embedding and head."""
    kinds: dict[str, set[str]] = {layer.name: set() for layer in checkpoint.layers}
    for parameter in checkpoint.parameters:
        kinds.setdefault(layer_of(parameter.name), set()).add(parameter.kind)
    return {
        layer.name: layer
        for layer in checkpoint.layers
        if not kinds[layer.name] or kinds[layer.name] - set(NOT_IN_D_GRAD)
    }
