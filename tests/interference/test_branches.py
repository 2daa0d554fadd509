"""What branches have in common, against plain loops, closed forms and simulated branches of known truth."""

import math
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_branches import covered_branches

from zerosum import InputError
from zerosum.interference import branch_agreement
from zerosum.interference._branch_errors import noise_directions
from zerosum.interference._branch_sums import sets_of_branches


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_sums_are_what_loops_give(seed, n_branches):
    rng = np.random.default_rng(seed)
    x = rng.normal(-0.2, 1, (n_branches, 5, 4)) + rng.normal(0, 1, (5, 4))
    x[0, 0, 0] = math.nan
    found = branch_agreement(x)
    columns = x.reshape(n_branches, -1)[:, 1:].T.tolist()
    assert found.N == len(columns) == 19
    for k in range(1, n_branches + 1):
        sizes, along = [], []
        for chosen, token in product(combinations(range(n_branches), k), columns):
            mean = sum(token[b] for b in chosen) / k
            sizes.append(abs(mean))
            along.extend(token[b] * math.copysign(1, mean) for b in range(n_branches) if b not in chosen)
        assert found.M_k[k - 1] == pytest.approx(sum(sizes) / len(sizes), abs=1e-12)
        if k < n_branches:
            assert found.A_k[k - 1] == pytest.approx(sum(along) / len(along), abs=1e-12)
    harm = sum(max(value, 0) for token in columns for value in token)
    in_all = sum(sum(token) for token in columns if min(token) > 0)
    assert found.harm_in_all.value == pytest.approx(in_all / harm, abs=1e-12)
    covariances = np.cov(np.array(columns).T, bias=True)
    pooled = (covariances.sum() - covariances.trace()) / (n_branches - 1) / covariances.trace()
    assert found.correlation.value == pytest.approx(pooled, abs=1e-12)
    assert found.delta_L == pytest.approx(sum(map(sum, columns)) / 19 / n_branches, abs=1e-12)
    assert found.systematic_share.interval is None
    assert found.systematic_share.reason


def test_chance_of_shared_harm_is_that_of_shuffled_tokens():
    rng = np.random.default_rng(3)
    x = rng.normal(0.3, 1, (3, 40, 25))
    shuffled = [
        branch_agreement(rng.permuted(x.reshape(3, -1), axis=1), np.zeros(1_000, int)).harm_in_all.value
        for _ in range(60)
    ]
    spread = np.std(shuffled) / math.sqrt(len(shuffled))
    assert branch_agreement(x).harm_by_chance == pytest.approx(np.mean(shuffled), abs=5 * spread)


def test_means_of_gaussian_noise_follow_their_closed_forms():
    """|s + e| of normal s and e: M_k is sqrt(2/pi (v + w/k)), and A_k is sqrt(2/pi) v / sqrt(v + w/k)."""
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (300, 400)) + rng.normal(0, 1.5, (4, 300, 400))
    found = branch_agreement(x, draws=2)
    width = np.sqrt(1 + 1.5**2 / np.arange(1, 5))
    assert found.M_k == pytest.approx(math.sqrt(2 / math.pi) * width, rel=0.01)
    assert found.A_k == pytest.approx(math.sqrt(2 / math.pi) / width[:3], rel=0.03)
    assert found.correlation.value == pytest.approx(1 / (1 + 1.5**2), abs=0.01)


def test_without_noise_all_of_it_is_systematic():
    s = np.where(np.arange(4_000).reshape(100, 40) % 5 < 3, -1.0, 1.0)
    for branches in (2, 3, 4, 12):
        found = branch_agreement(np.stack([s] * branches))
        assert found.correlation.value == pytest.approx(1.0)
        assert found.harm_in_all.value == pytest.approx(1.0)
        assert found.D_k == pytest.approx([0.8] * branches)
        if branches > 2:
            assert found.systematic_share.value == pytest.approx(1.0)
            assert found.systematic_share.interval == pytest.approx((1.0, 1.0), abs=1e-9)
            assert found.D_inf.value == pytest.approx(0.8)
            assert found.D_inf.interval == pytest.approx((0.8, 0.8), abs=1e-9)


def test_of_pure_noise_nothing_is_systematic():
    rng = np.random.default_rng(5)
    found = branch_agreement(rng.standard_t(3, (8, 100, 40)))
    assert found.systematic_share.interval[0] == 0
    assert found.systematic_share.value < 0.05
    assert found.systematic_share.interval[1] < 0.3
    assert math.isnan(found.D_inf.value)
    assert "noise" in found.D_inf.reason
    assert not found.correlation.excludes(0.0)
    assert found.harm_in_all.value == pytest.approx(found.harm_by_chance, abs=0.02)


def test_two_branches_give_no_interval():
    rng = np.random.default_rng(6)
    found = branch_agreement(rng.normal(0, 1, (50, 40)) + rng.normal(0, 1, (2, 50, 40)))
    assert math.isnan(found.systematic_share.value)
    assert math.isnan(found.noise_directions)
    assert found.correlation.value == pytest.approx(0.5, abs=0.1)
    estimates = (found.systematic_share, found.D_inf, found.correlation, found.harm_in_all)
    assert all(estimate.interval is None and "give three or more" in estimate.reason for estimate in estimates)


@pytest.mark.parametrize("n_directions", [1, 3, 12])
def test_directions_of_the_noise_are_counted(n_directions):
    """Directions of equal size at right angles; the median of 40 draws of 8 branches. A systematic part is no noise."""
    rng = np.random.default_rng(n_directions)
    s, directions = rng.normal(0, 3, (20, 40)), np.linalg.qr(rng.normal(0, 1, (800, n_directions)))[0]
    noises = [(rng.normal(0, 1, (8, n_directions)) @ directions.T).reshape(8, 20, 40) for _ in range(40)]
    assert np.median([noise_directions((s + noise).reshape(8, -1)) for noise in noises]) == pytest.approx(
        n_directions, rel=0.15
    )


def test_noise_of_few_directions_widens_intervals_and_hides_shared_harm():
    rng = np.random.default_rng(8)
    s, directions = np.where(rng.random((60, 40)) < 0.5, -1.0, 1.0), rng.normal(0, 1, (2, 60, 40))
    few = branch_agreement(s + 0.5 * np.tensordot(rng.normal(0, 1, (4, 2)), directions, axes=1) / math.sqrt(2))
    many = branch_agreement(s + 0.5 * rng.normal(0, 1, (4, 60, 40)))
    widths = [np.ptp(found.systematic_share.interval) for found in (few, many)]
    assert widths[0] > 3 * widths[1]
    assert few.harm_in_all.interval is None
    assert "few-noise-directions" in few.harm_in_all.reason
    assert many.harm_in_all.interval


def test_what_cannot_be_measured_has_a_reason():
    still = branch_agreement(np.zeros((3, 30, 4)))
    assert {still.correlation.reason, still.systematic_share.reason} == {"no token changed"}
    alike = branch_agreement(np.full((3, 30, 4), -0.1))
    assert "cancels" in alike.systematic_share.reason
    assert "equally" in alike.correlation.reason
    assert "worse" in alike.harm_in_all.reason
    for x, where, problem in (
        (np.zeros((1, 30, 4)), None, "Give at least 2"),
        (np.zeros((2, 30, 4)), np.zeros((30, 4), bool), "N is 0"),
        (np.full((2, 30, 4), np.inf), None, "not finite"),
    ):
        with pytest.raises(InputError, match=problem):
            branch_agreement(x, where=where)


def test_many_branches_are_averaged_in_neighbouring_sets():
    sets = sets_of_branches(20, 7)
    assert len(sets) == 20
    assert all(sum(b in chosen for chosen in sets) == 7 for b in range(20))


@pytest.mark.parametrize(
    ("kind", "noise", "size", "branches"),
    [
        ("mixture", "t3", 1.0, 3),
        ("smooth", "t3", 0.7, 4),
        ("opposed", "1 direction", 0.5, 4),
    ],
)
def test_intervals_hold_the_systematic_share(kind, noise, size, branches):
    """At least 92 % of 60 repeats; `make check-long` makes more of them, and more cases."""
    assert covered_branches(kind, noise, size, branches, 60)["share"] >= 0.92 * 60
