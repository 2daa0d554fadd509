"""Intervals: coverage where the truth is known, folding at D = 1, and refusing where they cannot be given."""

import numpy as np
import pytest
from simulated_changes import covered_interference

from zerosum import InputError, InterferenceSums
from zerosum.interference import branch_agreement, difference_in_D, fold, interval, measure, sign_agreement
from zerosum.interference._paired import paired_M_ratio


def test_95_percent_intervals_cover():
    """92-98 % of 600 repeats (their own standard error is 0.9 %); `make check-long` has more of each n and R."""
    for covered in covered_interference(n_sequences=20, R=-0.05, repeats=600).values():
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


@pytest.mark.parametrize("n_moved", [1, 2, 30])
def test_where_few_units_move_the_interval_is_finite(n_moved):
    """Resamples that hold none of them have no R, and no branch its share: the interval is then the whole range."""
    rng = np.random.default_rng(n_moved)
    x = np.zeros((4, 30, 8))
    x[:, :n_moved] = rng.normal(-0.2, 1, (n_moved, 8)) + rng.normal(0, 0.5, (4, n_moved, 8))
    ends = measure(x[0]).interval
    assert np.isfinite([*ends.R, *ends.D, *ends.M, *ends.delta_L]).all()
    assert (ends.R == (-1.0, 1.0)) == (n_moved < 30)
    signs = sign_agreement(x[0], x[1]).intervals
    assert np.isfinite([*signs["agreement"], *signs["excess"]]).all()
    assert (signs["excess"] == (-1.0, 1.0)) == (n_moved < 30)
    branches = branch_agreement(x)
    estimates = (branches.systematic_share, branches.correlation, branches.harm_in_all)
    for low, high in (estimate.interval for estimate in estimates if estimate.interval):
        assert (high - low >= 1) == (n_moved < 30)
    ratio = paired_M_ratio(InterferenceSums.of(x[0]), InterferenceSums.of(x[1]))
    assert (ratio.interval is None) == (n_moved < 30)
    assert ("resamples" in ratio.reason) == (n_moved < 30)


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
