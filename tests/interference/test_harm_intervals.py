"""Intervals of the cells of a harm matrix: coverage on simulated steps, and the parts that they are made of."""

import numpy as np
import pytest
from scipy.stats import binom
from simulated_harms import covered_harms

from zerosum.estimate import Estimate
from zerosum.interference._crossed import over_texts_and_batches

SAMPLES = 40


@pytest.mark.parametrize("shares", [(0.5, 0, 0.5), (0, 1, 0)], ids=["texts-and-both", "batches"])
def test_intervals_cover(shares):
    """`make check-long` does the same with 1,000 samples, and more cases."""
    low = binom.ppf(1e-3, SAMPLES, 0.93)
    for quantity, covered in covered_harms("token", 30, 4, shares, "normal", SAMPLES).items():
        assert covered >= low, quantity


def test_noise_of_texts_in_batches_counts_once():
    """Where texts have nothing in common from batch to batch, the interval is Student's t over batches."""
    rng = np.random.default_rng(0)
    z = np.concatenate([rng.normal(size=(2, 50))] * 2)
    z[2:] *= -1  # the mean over batches of every unit is 0
    found = over_texts_and_batches(Estimate(1.0), (0.0, 3.0), z)
    sums = z.sum(1)
    half = 3.182446 * sums.std(ddof=1) / 2
    assert found.interval == pytest.approx((1 - half, 1 + half))


def test_texts_alone_where_batches_agree_and_of_one_batch():
    z = np.tile(np.random.default_rng(0).normal(size=50), (4, 1))
    for batches in (z, z[:1]):
        assert over_texts_and_batches(Estimate(1.0), (0.5, 3.0), batches).interval == pytest.approx((0.5, 3.0))
