"""The size of the lowest loss for a budget, for any law of N and D."""

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from zerosum.errors import InputError

FLOPS = 6  # C = 6 N D
STEPS = 80  # golden sections: 1e-16 of the range
GOLDEN = (math.sqrt(5) - 1) / 2


def require_budget(flops: float) -> None:
    """Raise InputError for a budget that is no number of FLOPs above 0."""
    if not (math.isfinite(flops) and flops > 0):
        raise InputError(f"budget: {flops} is not a number of FLOPs above 0. Give for example 1e21.")


def best_sizes(
    flops: Float[np.ndarray, " M"], log_loss: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Float[np.ndarray, " M"]:
    """log N of the lowest loss at each C = 6 N D = flops; log_loss(N, D): [M], each by a law of its own or by one.

    NaN where the loss falls towards an end of the range, one parameter or one token. On a logarithmic scale of N such
    laws have one minimum, so that golden sections find it.
    """
    low, high = np.zeros(len(flops)), np.log(flops / FLOPS)
    edges = low.copy(), high.copy()

    def loss(log_N: np.ndarray) -> np.ndarray:
        N = np.exp(log_N)
        return log_loss(N, flops / FLOPS / N)

    for _ in range(STEPS):
        a, b = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        left = loss(a) < loss(b)
        low, high = np.where(left, low, a), np.where(left, b, high)
    found = (low + high) / 2
    at_edge = (found - edges[0] < 1e-6) | (edges[1] - found < 1e-6)
    return np.where(at_edge, np.nan, found)
