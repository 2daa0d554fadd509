"""First calls that are slow (imports, caches), made before training, so that the cost of a measurement is known."""

import time
from functools import cache

import numpy as np

from zerosum.curves import LossCurve
from zerosum.deceleration import fit
from zerosum.interference.labelled import measure_changes

CHANGES = 3  # a measurement has at most three: held-out tokens, tokens of the batch, t to 2t


def seconds_of_changes(sequences: int, predictions: int, n_groups: int = 0) -> float:
    """Seconds of a measurement beside forward passes and fit, about. sequences, predictions: the probe's shape.

    n_groups: of tokens; a group takes about a third as long, at each step and from t to 2t.
    """
    seconds_of_fit()  # makes the first call
    losses = np.random.default_rng(0).normal(3, 1, (sequences, predictions)).astype(np.float32)
    after = losses - np.float32(0.01) * losses**2
    started = time.perf_counter()
    measure_changes(losses, after, None, seed=0)
    return (CHANGES + 2 * n_groups / 3) * (time.perf_counter() - started)


@cache
def seconds_of_fit() -> float:
    """Seconds of the fit of a noisy curve, after first calls of `fit` and `measure_changes` that are not timed."""
    small = np.ones((2, 2), np.float32)
    measure_changes(small, small + 1, None, seed=0)
    steps = np.unique(np.geomspace(1, 2048, 160).round())
    noise = np.exp(0.02 * np.random.default_rng(0).normal(size=len(steps)))
    fit(LossCurve("warm-up", steps[:20], 5 * steps[:20] ** -0.1, format="monitor"))
    started = time.perf_counter()
    fit(LossCurve("warm-up", steps, 5 * steps**-0.1 * noise, format="monitor"))
    return time.perf_counter() - started
