"""Exact splits over any partition, and which checkpoints make a pair."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zerosum import InputError
from zerosum.interference import InterferenceSums, chosen_pairs, doubling_pairs, measure, split, sums_by_group


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


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_sums_of_each_group_are_those_of_its_tokens(seed):
    rng = np.random.default_rng(seed)
    x, group, unit = rng.normal(size=(8, 5)), rng.choice(["b", "a", "c"], (8, 5)), rng.integers(0, 4, (8, 5))
    where = rng.random((8, 5)) < 0.8
    found = sums_by_group(x, group, unit, where)
    assert list(found) == sorted(set(group[where]))
    for name, sums in found.items():
        alone = InterferenceSums.of(x, unit, where & (group == name))
        for field in ("unit", "net", "mass", "square", "count"):
            np.testing.assert_array_equal(getattr(sums, field), getattr(alone, field))


@pytest.mark.parametrize("mean", [0.0, -0.2, -2.0])
def test_random_groups_as_predicted(mean):
    """C_between of groups dealt at random, averaged over deals, against the formula."""
    rng = np.random.default_rng(0)
    x, sizes = rng.normal(mean, 1, 600), [200, 200, 100, 60, 40]
    label = np.repeat(np.arange(len(sizes)), sizes)
    moved = [np.abs(np.bincount(rng.permutation(label), x)).sum() for _ in range(4_000)]
    predicted = split(sums_by_group(x, label)).C_between_null
    assert predicted == pytest.approx(abs(x.sum()) / np.mean(moved), rel=0.02)


def test_shares_of_the_net_change():
    parts = split(sums_by_group([-3.0, -1.0, 2.0], ["a", "a", "b"]))
    assert [group.net_share for group in parts.groups] == [2.0, -1.0]
    assert np.isnan(split(sums_by_group([1.0, -1.0], ["a", "b"])).groups[0].net_share)


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


def test_pairs_that_are_named():
    steps = [0, 1, 2, 4, 100, 1000]
    assert chosen_pairs("doubling", steps) == ([(1, 2), (2, 4)], [4, 100, 1000])
    assert chosen_pairs("consecutive", steps)[0] == [(0, 1), (1, 2), (2, 4), (4, 100), (100, 1000)]
    assert chosen_pairs("100:1000,0:100,100:1000", steps) == ([(0, 100), (100, 1000)], [])


@pytest.mark.parametrize(
    ("wanted", "steps", "message"),
    [
        ("100:205", [100, 200, 300, 400], "step 205: not measured. The nearest that are: 100, 200, 300."),
        ("200:100", [100, 200], "Name it as 100:200"),
        ("100:100", [100, 200], "100:100: twice the same step, so nothing changes. Name two steps"),
        ("late", [1, 2], "'late': not FROM:TO"),
        ("1:2,", [1, 2], "'': not FROM:TO"),
        ("doubling", [1, 3, 9], "none has another within 5 % of its double. Use --pairs consecutive"),
        ("doubling", [7], "only step 7 is measured"),
        ("consecutive", [], "no step is measured"),
        ("1:" + "9" * 5000, [1, 2], "not FROM:TO"),
    ],
)
def test_pairs_that_cannot_be(wanted, steps, message):
    with pytest.raises(InputError, match=message):
        chosen_pairs(wanted, steps)
