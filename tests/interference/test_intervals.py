"""Intervals: coverage where the truth is known, folding at D = 1, and refusing where they cannot be given."""

import numpy as np
import pytest
from simulated_changes import covered_interference

from zerosum import InputError, InterferenceSums
from zerosum.interference import difference_in_D, fold, interval, measure


@pytest.mark.parametrize(("n_sequences", "R"), [(20, -0.05), (50, 0.0), (200, -0.5)])
def test_95_percent_intervals_cover(n_sequences, R):
    """92-98 % of 600 repeats (their own standard error is 0.9 %); `make check-long` has every pair of n and R."""
    for covered in covered_interference(n_sequences, R, 600).values():
        assert 0.92 <= covered / 600 <= 0.98


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


def test_draws_in_blocks_are_those_of_one_block(monkeypatch):
    x = np.random.default_rng(1).normal(-0.5, size=(50, 20))
    together = measure(x, seed=3).interval
    monkeypatch.setattr("zerosum.interference._bootstrap._BLOCK", 7_000)
    in_blocks = measure(x, seed=3).interval
    for name in ("R", "D", "M", "delta_L"):
        assert getattr(in_blocks, name) == pytest.approx(getattr(together, name), rel=1e-12)


def test_D_of_different_N_is_not_compared():
    rng = np.random.default_rng(0)
    small, large = measure(rng.normal(size=(20, 10))), measure(rng.normal(size=(20, 20)))
    with pytest.raises(InputError, match=r"N = 200 and N = 400: D of different N is not comparable"):
        difference_in_D(small, large)
    assert difference_in_D(small, small) == 0.0
