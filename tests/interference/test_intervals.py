"""Intervals: coverage where the truth is known, folding at D = 1, and refusing where they cannot be given."""

import numpy as np
import pytest

from zerosum import InputError, InterferenceSums
from zerosum.interference import difference_in_D, fold, interval, measure

TOKENS = 64
SHARED = 0.3  # share of a token's variance that its whole sequence has in common


def changes(n_sequences, mean, rng):
    """Correlated tokens in sequences whose sizes of change differ, as real ones do."""
    common = np.sqrt(SHARED) * rng.normal(size=(n_sequences, 1))
    own = np.sqrt(1 - SHARED) * rng.standard_t(4, (n_sequences, TOKENS))
    return rng.lognormal(0, 0.5, (n_sequences, 1)) * (mean + common + own)


def mean_for(R):
    """The mean that gives net ratio R in this population, by bisection on a large sample."""
    rng = np.random.default_rng(0)
    z = np.sqrt(SHARED) * rng.normal(size=400_000) + np.sqrt(1 - SHARED) * rng.standard_t(4, 400_000)
    low, high = -5.0, 5.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if (middle + z).sum() / np.abs(middle + z).sum() < R else (low, middle)
    return low


@pytest.mark.parametrize("n_sequences", [20, 50, 200])
@pytest.mark.parametrize("R", [0.0, -0.05, -0.5])
def test_95_percent_intervals_cover(n_sequences, R):
    """92-98 % of 600 repeats (their own standard error is 0.9 %)."""
    rng = np.random.default_rng(n_sequences)
    mean, repeats, covered_R, covered_D = mean_for(R), 600, 0, 0
    for repeat in range(repeats):
        found = interval(InterferenceSums.of(changes(n_sequences, mean, rng)), draws=500, seed=repeat)
        covered_R += found.R[0] <= R <= found.R[1]
        covered_D += found.D[0] <= 1 - abs(R) <= found.D[1]
    assert 0.92 <= covered_R / repeats <= 0.98
    assert 0.92 <= covered_D / repeats <= 0.98


def test_one_odd_unit_does_not_stretch_the_interval_without_end():
    """31 sequences improve throughout, one has harm in it: most draws miss it or hold it once."""
    x = -np.ones((32, 64))
    x[0, :40] = 1.0
    found = interval(InterferenceSums.of(x))
    share_of_one = 2 * 40 / (32 * 64)
    assert found.D[0] < share_of_one < found.D[1] < 5 * share_of_one


def test_D_reaches_one_where_R_may_be_zero():
    found = measure(np.random.default_rng(1).normal(size=(50, 20)))
    assert found.interval.R[0] < 0 < found.interval.R[1]
    assert found.interval.D[1] == 1.0
    assert fold(-0.2, -0.1) == (0.8, 0.9)


def test_few_units_have_no_interval_but_a_reason():
    found = measure(np.random.default_rng(1).normal(size=(19, 20)))
    assert found.interval is None
    assert found.interval_reason == "19 units; an interval needs at least 20 sequences or documents"


def test_units_of_the_same_ratio_have_a_point_interval():
    found = measure(-np.ones((30, 4)))
    assert found.interval.R == (-1.0, -1.0)
    assert found.interval.D == (0.0, 0.0)


def test_same_seed_same_interval():
    sums = InterferenceSums.of(np.random.default_rng(1).normal(size=(50, 20)))
    assert interval(sums, seed=7) == interval(sums, seed=7)
    assert interval(sums, seed=7) != interval(sums, seed=8)


def test_D_of_different_N_is_not_compared():
    rng = np.random.default_rng(0)
    small, large = measure(rng.normal(size=(20, 10))), measure(rng.normal(size=(20, 20)))
    with pytest.raises(InputError, match=r"N = 200 and N = 400: D of different N is not comparable"):
        difference_in_D(small, large)
    assert difference_in_D(small, small) == 0.0
