"""Exact splits over any partition, and which checkpoints make a pair."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zerosum import InputError
from zerosum.interference import doubling_pairs, measure, split, sums_by_group


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_identities_are_exact(seed, n_groups):
    rng = np.random.default_rng(seed)
    x, group = rng.normal(-0.1, 1, (12, 9)), rng.integers(0, n_groups, (12, 9))
    whole, parts = measure(x), split(sums_by_group(x, group))
    assert sum(g.w for g in parts.groups) == pytest.approx(1, abs=1e-12)
    assert sum(g.N for g in parts.groups) == whole.N
    assert sum(g.w * g.R for g in parts.groups) == pytest.approx(whole.R, abs=1e-12)
    assert parts.C_between * parts.C_within == pytest.approx(1 - whole.D, abs=1e-12)
    assert whole.delta_L == pytest.approx(whole.M * whole.R, abs=1e-12)


def test_groups_that_each_cancel():
    parts = split(sums_by_group([1.0, -1.0, 2.0, -2.0], ["a", "a", "b", "b"]))
    assert parts.C_within == 0.0
    assert np.isnan(parts.C_between)


def test_no_movement_has_no_shares():
    with pytest.raises(InputError, match="every change is zero"):
        split(sums_by_group([0.0, 0.0], ["a", "b"]))


def test_pairs_need_a_near_double():
    assert doubling_pairs([1000, 512, 0, 2000, 1]) == ([(512, 1000), (1000, 2000)], [1, 2000])
    assert doubling_pairs([100, 211]) == ([], [100, 211])
    assert doubling_pairs([100, 210]) == ([(100, 210)], [210])
    assert doubling_pairs([]) == ([], [])
