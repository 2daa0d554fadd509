"""First calls that are slow (imports, caches), made before training, so that the cost of a measurement is known."""

import time
from functools import cache

import numpy as np

from zerosum.curves import LossCurve
from zerosum.deceleration import fit
from zerosum.interference.labelled import measure_changes

CHANGES = 3  # a measurement has at most three: held-out tokens, tokens of the batch, t to 2t


def seconds_beside_passes(sequences: int, predictions: int) -> float:
    """Seconds of a measurement beside its forward passes: at most three interferences, and a fit.

    sequences, predictions: the probe's shape. Calls everything once before the clock starts; draws no global random
    numbers.
    """
    fit_seconds = _fit_seconds()
    losses = np.random.default_rng(0).normal(3, 1, (sequences, predictions)).astype(np.float32)
    after = losses - np.float32(0.01) * losses**2
    started = time.perf_counter()
    measure_changes(losses, after, None, seed=0)
    return CHANGES * (time.perf_counter() - started) + fit_seconds


@cache
def _fit_seconds() -> float:
    """Seconds of one fit; the first call in a process is not timed. Also makes a first call of `measure_changes`."""
    small = np.ones((2, 2), np.float32)
    measure_changes(small, small + 1, None, seed=0)
    steps = np.unique(np.geomspace(1, 2048, 160).round())
    curve = LossCurve("warm-up", steps, 5 * steps**-0.1 * (1 + 0.01 * np.cos(steps)), format="monitor")
    fit(curve)
    started = time.perf_counter()
    fit(curve)
    return time.perf_counter() - started
