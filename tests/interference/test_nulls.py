"""The two nulls against brute force over every sign pattern, and against plain Monte Carlo."""

from itertools import product

import numpy as np
import pytest

from zerosum.interference import InterferenceSums, destructive_interference, expected_abs_sum, gaussian_abs_sum, measure
from zerosum.interference._null import TOLERATED_ERROR, WORST_GAUSSIAN_ERROR, SignDraws, abs_sum_over


def brute_force(a):
    return np.mean([abs(np.dot(signs, a)) for signs in product([-1, 1], repeat=len(a))])


def unit_excess(x):
    sums = InterferenceSums.of(x)
    return sums.D - (1 - expected_abs_sum(sums.net, np.random.default_rng(0))[0] / sums.mass.sum())


def test_few_terms_are_exact():
    a = np.random.default_rng(0).normal(size=9)
    assert expected_abs_sum(a, np.random.default_rng(0))[0] == pytest.approx(brute_force(a), rel=1e-12)


def test_monte_carlo_is_close_to_brute_force():
    a = np.concatenate([[5.0, 3.0], np.random.default_rng(1).normal(size=12)])
    value, method = expected_abs_sum(a, np.random.default_rng(0))
    assert "Monte Carlo" in method
    spread = np.linalg.norm(a) / np.sqrt(16_384)
    assert value == pytest.approx(brute_force(a), abs=4 * spread)


def test_gaussian_error_is_inside_its_bound():
    """One dominating term is the hard case: the Gaussian form is off, but never beyond the bound."""
    for n, largest in [(4, 1.0), (8, 3.0), (10, 20.0), (12, 4.0)]:
        a = np.concatenate([[largest], np.ones(n)])
        gaussian, _ = gaussian_abs_sum(a.sum(), (a**2).sum())
        assert abs(gaussian - brute_force(a)) <= WORST_GAUSSIAN_ERROR * np.linalg.norm(a)


def test_gaussian_is_taken_only_where_it_is_proven_good():
    rng = np.random.default_rng(2)
    many = rng.normal(size=20_000)
    value, method = expected_abs_sum(many, rng)
    assert "Gaussian" in method
    flipped = np.abs((rng.integers(0, 2, (2_000, many.size), dtype=np.int8) * 2.0 - 1.0) @ many).mean()
    assert abs(value - flipped) / np.abs(many).sum() < TOLERATED_ERROR
    few_dominate = np.concatenate([[5e4], many])
    assert "Monte Carlo" in expected_abs_sum(few_dominate, rng)[1]


def test_nulls_of_independent_tokens_match_their_D():
    """Without any structure D is what both nulls predict; its mean over repeats is compared, not one draw."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(200, 50, 20))
    found = measure(x[0])
    mean_D = np.mean([destructive_interference(part.ravel()) for part in x])
    assert found.null == pytest.approx(mean_D, abs=0.003)
    assert np.mean([unit_excess(part) for part in x]) == pytest.approx(0, abs=0.006)


def test_a_common_direction_is_less_cancelling_than_chance():
    found = measure(np.random.default_rng(5).normal(-2.0, 1.0, (64, 32)))
    assert found.excess < -0.5


def test_cancelling_between_sequences_shows_in_excess():
    """Every sequence pays exactly for another: D is 1, above what random signs per sequence give."""
    x = np.repeat([[1.0], [-1.0]], 50, axis=0) * np.ones((100, 16))
    found = measure(x)
    assert found.D == 1.0
    assert found.null_unit == pytest.approx(1 - np.sqrt(2 / np.pi) / 10, abs=0.002)
    assert found.excess == pytest.approx(1 - found.null_unit)


@pytest.mark.parametrize("size", [13, 40, 255, 256, 300])
def test_signs_drawn_once_are_those_of_a_new_generator(size):
    """Every group of a page is measured with the same signs; the numbers are as if each drew its own."""
    rng = np.random.default_rng(7)
    first, second = rng.gamma(0.3, 1, size), rng.gamma(0.3, 1, 20)
    fresh, kept = np.random.default_rng(3), SignDraws(3)
    for terms in (first, second):
        assert abs_sum_over(terms, kept) == expected_abs_sum(terms, fresh)
    assert "Monte Carlo" in expected_abs_sum(first, fresh)[1]
