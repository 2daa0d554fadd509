"""When agreement between token gradients had halved, layer by layer. Letters: t checkpoints."""

import math
from collections.abc import Container
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from zerosum.show.gradients.subject import APART, Line, OneCheckpoint, Part


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


def agreement_by_layer(line: Line) -> tuple[LayerAgreement, ...]:
    """Layers that hold more than embedding and head, those that lost half of their agreement first before others.

    Where two did at the same step, or neither did, the one nearer the input comes first. None of a single checkpoint.
    """
    if len(line.checkpoints) < 2:
        return ()
    steps = np.array([float(one.step) for one in line.checkpoints])
    layers = [layers_in_D_grad(one) for one in line.checkpoints]
    found = []
    for depth, name in enumerate(dict.fromkeys(name for each in layers for name in each)):
        values = np.array([1 - each[name]["D_grad"].value if name in each else math.nan for each in layers])
        if np.isfinite(values).any():
            found.append(LayerAgreement(name, depth, steps, values, halving(steps, values)))
    return tuple(sorted(found, key=lambda one: (one.halved.step if one.halved.within else math.inf, one.depth)))


def layers_in_D_grad(one: OneCheckpoint) -> dict[str, Part]:
    """Layer -> what was measured of it, without layers of nothing but embedding and head."""
    kinds: dict[str, set[str]] = {part.name: set() for part in one.layers}
    for parameter in one.parameters:
        kinds.get(home(parameter.name, kinds), set()).add(parameter.kind)
    return {part.name: part for part in one.layers if not kinds[part.name] or kinds[part.name] - set(APART)}


def home(parameter: str, layers: Container[str]) -> str:
    """The innermost layer that a parameter is in; the parameter itself where there is none.

    >>> home("h.1.mlp.up.weight", {"h.1", "h.1.mlp", "h.10"}), home("scale", {"h.1"})
    ('h.1.mlp', 'scale')
    """
    parts = parameter.split(".")
    outwards = (".".join(parts[:k]) for k in range(len(parts), 0, -1))
    return next((name for name in outwards if name in layers), parameter)
