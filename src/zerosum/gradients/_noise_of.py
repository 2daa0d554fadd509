"""From what a measurement has summed to its noise scale, and to D_grad as noise alone would give it.

Letters: u sequence, j coordinate; G_uj sum over the tokens of sequence u of g_ij.
"""

from collections.abc import Sequence
from math import nan, pi, sqrt
from typing import Any

import numpy as np
from jaxtyping import Float32, Shaped

from zerosum.gradients._numbers import beyond_rounding
from zerosum.gradients._result import GradientInterference
from zerosum.gradients._share import Share
from zerosum.gradients.noise import NoiseScale, noise_scale
from zerosum.gradients.parameters import Parameter, in_D_grad
from zerosum.gradients.unit_sums import Sequences


def noise_of(
    whole: Share,
    parameters: Sequence[Parameter],
    losses: Float32[np.ndarray, "S T"],
    unit: Any,
    D: GradientInterference,
) -> NoiseScale:
    """whole: sums over all sequences. losses: NaN at padding. unit: [S, 1], [S, T] or None. D: has D_grad of them."""
    assert whole.sequences is not None  # noqa: S101 - every method measures them
    predicted = np.isfinite(losses)
    of_sequence = None if unit is None else _of_sequences(np.broadcast_to(unit, losses.shape), predicted)
    sequences = Sequences(
        tokens=predicted.sum(1)[whole.rows],
        squared=whole.sequences.squared,
        sketch=whole.sequences.sketch,
        total_squared=sum((float(whole.net[own.name].square().sum()) for own in in_D_grad(parameters)), 0.0),
        unit=whole.rows if of_sequence is None else of_sequence[whole.rows],
        units="sequence" if of_sequence is None else "document",
    )
    return noise_scale(sequences, nan if D.is_proxy else D.D_grad, _left_by_noise(whole, parameters))


def _of_sequences(unit: Shaped[np.ndarray, "S T"], predicted: Shaped[np.ndarray, "S T"]) -> Any:
    """[S] the document of each sequence; None where a sequence has several, and is then drawn as a whole."""
    first = unit[np.arange(len(unit)), predicted.argmax(1)]
    return first if bool(((unit == first[:, None]) | ~predicted).all()) else None


def _left_by_noise(whole: Share, parameters: Sequence[Parameter]) -> float:
    """1 - D_grad if the sum over each sequence had a random sign, over 1 - D_grad as it is.

    With sqrt(2 / pi) sqrt(sum_u G_uj^2) in place of |sum_i g_ij|, which is the mean size of a sum with random signs of
    many sequences, of none of which it is the most. In a sample both are relative to the same estimates.
    """
    assert whole.sequences is not None  # noqa: S101 - every method measures them
    mass = whole.mass if whole.sample is None else whole.sample.kept()
    least, noise, left = beyond_rounding(mass, parameters), 0.0, 0.0
    for name in (own.name for own in in_D_grad(parameters) if own.name in mass):
        size = mass[name].double()
        touched = size > least[name]
        size, net = size[touched], whole.net[name][touched].abs()
        size = size.maximum(net.to(size))
        noise += float((whole.sequences.by_coordinate[name].to(size.device)[touched].sqrt() / size).sum())
        left += float((net.to(size) / size).sum())
    return sqrt(2 / pi) * noise / left if left > 0 else nan
