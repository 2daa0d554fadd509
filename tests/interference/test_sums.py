"""Sums merge exactly, in any order and however the tokens were dealt out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zerosum import InputError, InterferenceSums
from zerosum.interference import measure, summarize


def test_they_are_the_definitions():
    x = np.array([[1.0, -2.0], [3.0, 0.0]])
    s = InterferenceSums.of(x)
    np.testing.assert_array_equal(s.unit, [0, 1])
    np.testing.assert_array_equal(s.net, [-1, 3])
    np.testing.assert_array_equal(s.mass, [3, 3])
    np.testing.assert_array_equal(s.square, [5, 9])
    np.testing.assert_array_equal(s.count, [2, 2])
    assert (s.N, s.R, s.D, s.M) == (4, 2 / 6, 1 - 2 / 6, 6 / 4)
    assert s.delta_L == pytest.approx(s.M * s.R)
    assert s.harmful_share == pytest.approx(x[x > 0].sum() / np.abs(x).sum())


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_any_dealing_of_the_tokens_gives_the_same(seed, n_parts):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(7, 11)).astype(np.float32)
    unit = np.broadcast_to(rng.permutation(7)[:, None], x.shape)
    part = rng.integers(0, n_parts, x.shape)
    merged = InterferenceSums.merge([InterferenceSums.of(x, unit, part == k) for k in range(n_parts)])
    whole = InterferenceSums.of(x, unit)
    np.testing.assert_array_equal(merged.unit, whole.unit)
    np.testing.assert_array_equal(merged.count, whole.count)
    for field in ("net", "mass", "square"):
        np.testing.assert_allclose(getattr(merged, field), getattr(whole, field), rtol=1e-12, atol=1e-12)


def test_units_may_be_named():
    s = InterferenceSums.of([1.0, -1.0, 2.0], unit=["b", "a", "b"])
    assert s.unit.tolist() == ["a", "b"]
    assert s.net.tolist() == [-1.0, 3.0]


def test_not_finite_is_refused_with_the_remedy():
    with pytest.raises(InputError, match=r"1 of 3 changes are not finite.*where=np.isfinite"):
        InterferenceSums.of([1.0, np.nan, 2.0])
    x = np.array([1.0, np.nan, 2.0])
    assert InterferenceSums.of(x, where=np.isfinite(x)).N == 2


def test_nothing_to_merge_or_measure():
    with pytest.raises(InputError, match="at least one part"):
        InterferenceSums.merge([])
    with pytest.raises(InputError, match="N is 0"):
        measure(np.ones((2, 2)), where=False)


def test_summarize_agrees_with_measure():
    x = np.random.default_rng(3).normal(-0.2, 1, (100, 64))
    from_changes, from_sums = measure(x), summarize(InterferenceSums.of(x))
    assert from_sums.interval == from_changes.interval
    assert from_sums.null == pytest.approx(from_changes.null, abs=1e-12)


def test_all_zero_changes_say_why():
    found = measure(np.zeros((30, 4)))
    assert np.isnan(found.R)
    assert np.isnan(found.excess)
    assert found.M == 0
    assert found.reasons["D"] == "every change is zero"
    assert found.interval is None
    assert found.interval_reason == "every change is zero"
