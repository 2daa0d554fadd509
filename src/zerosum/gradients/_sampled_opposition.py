"""D_grad of a sample: ratio bias removed, and its error found, by the delete-a-group jackknife.

Letters: K groups of sampled tokens, K + 1 ways to use them, i token, j coordinate; g_ij gradient of one token's loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

from zerosum.gradients._result import LEVEL
from zerosum.gradients.parameters import Parameter

Interval = tuple[float, float]
FEW = 2.0  # groups that a coordinate's estimate comes from, at least, for its error to be known


@dataclass(frozen=True)
class SampledOpposition:
    """What touched coordinates add up to; sums of different coordinates add.

    known: [K + 1] sum over coordinates of 1 - |sum_i g_ij| / estimate of sum_i |g_ij|, from all groups and with each
    left out in turn. thin: [K + 1] the same of coordinates that too few tokens of the sample touch, so that its error
    is not known. n_known, n_thin: these coordinates. rounding: those left out, their gradients being rounding.
    """

    known: Float[np.ndarray, " ways"]
    thin: Float[np.ndarray, " ways"]
    n_known: int
    n_thin: int
    rounding: int

    @property
    def touched(self) -> int:
        """Coordinates."""
        return self.n_known + self.n_thin

    def __add__(self, other: "SampledOpposition") -> "SampledOpposition":
        mine, theirs = vars(self), vars(other)
        return SampledOpposition(**{name: mine[name] + theirs[name] for name in mine})

    def D_grad(self, sampled: float) -> tuple[float, Interval]:
        """Mean over the coordinates, and its 95 % interval; NaN where there is none.

        sampled: share of tokens in the sample. Thin coordinates are somewhere between 0 and 1, which the interval says.
        """
        if not self.touched:
            return nan, (nan, nan)
        known, half = _jackknife(self.known, sampled) if self.n_known else (0.0, 0.0)
        thin = min(max(_jackknife(self.thin, sampled)[0], 0.0), float(self.n_thin))
        ends = max(known - half, 0.0), min(known + half, float(self.n_known)) + self.n_thin
        return (known + thin) / self.touched, (ends[0] / self.touched, ends[1] / self.touched)


def sampled_opposition(
    parameter: Parameter, parts: Sequence[Any], weight: Float[np.ndarray, " K"], net: Any, least: float
) -> SampledOpposition:
    """Of one parameter. parts: K weighted sums of |g_ij|, which add up to an estimate over all tokens. weight: [K]
    tokens that each part stands for. net: exact sum_i g_ij. least: what a coordinate has to exceed to be touched.

    No estimate of sum_i |g_ij| is taken to be less than |sum_i g_ij|, which is known.
    """
    size, whole = net.abs(), sum(parts).double()
    seen = touched(size, whole, least)
    size, whole = size[seen], whole[seen]
    groups = whole.square() / sum(part[seen].double().square() for part in parts)
    thin = ~(groups >= FEW) | (whole < size / 2) | parameter.looked_up
    ratios, N = [size / whole.maximum(size)], float(weight.sum())
    for part, tokens in zip(parts, weight, strict=True):
        ratios.append(size / ((whole - part[seen]) * (N / (N - tokens))).maximum(size))
    of_thin, of_known = (
        np.array([float((1 - ratio[chosen]).nan_to_num_(nan=0.0).sum()) for ratio in ratios])
        for chosen in (thin, ~thin)
    )
    n_thin, rounding = int(thin.sum()), int(touched(net.abs(), sum(parts), 0.0).sum()) - size.numel()
    return SampledOpposition(of_known, of_thin, size.numel() - n_thin, n_thin, rounding)


def touched(size: Any, mass: Any, least: float) -> Any:
    """Coordinates that tokens have a gradient in beyond rounding: the sample says so, or the sum over all tokens.

    size: |sum_i g_ij|. mass: an estimate of sum_i |g_ij|.
    """
    return (mass > least) | (size > least)


def _jackknife(values: Float[np.ndarray, " ways"], sampled: float) -> tuple[float, float]:
    """The estimate free of bias of first order, and half the width of its interval. Both shrink with what is unseen."""
    K, left = len(values) - 1, values[1:]
    bias = (1 - sampled) * (K - 1) * (left.mean() - values[0])
    spread = (1 - sampled) * (K - 1) / K * ((left - left.mean()) ** 2).sum()
    half = float(stdtrit(K - 1, (1 + LEVEL) / 2) * np.sqrt(spread))
    return float(values[0] - bias), half
