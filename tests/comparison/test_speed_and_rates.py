"""Speed-up, sensitivity to the rate, and slopes over sizes: closed forms, and what is not known said."""

import math

import numpy as np
import pytest
from scipy import stats
from simulated_benches import speed_study

from zerosum.comparison import best_between, gain_slope, rate_sensitivity, rate_slope, speed_up

SEEDS = {1: 0.003, 2: -0.001, 3: 0.002, 4: 0.0}


def baseline(*multiples):
    return {at: {seed: 1.6 - 0.05 * math.log(at) + own for seed, own in SEEDS.items()} for at in multiples}


def arm(at, noise=1e-4):
    return {seed: 1.6 - 0.05 * math.log(at) + own + noise * (-1) ** seed for seed, own in SEEDS.items()}


def test_the_speed_up_is_read_off_the_baseline():
    found = speed_up(arm(1.3), baseline(0.5, 1.0, 1.5, 2.0))
    assert found.multiple.value == pytest.approx(1.3, rel=1e-6)
    low, high = found.multiple.interval
    assert low < 1.3 < high
    half = stats.t.ppf(0.975, 3) * np.std([1e-4, -1e-4, 1e-4, -1e-4], ddof=1) / 2
    assert (low, high) == pytest.approx((1.3 * math.exp(-half / 0.05), 1.3 * math.exp(half / 0.05)), rel=5e-3)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.34])
def test_the_speed_up_at_equal_cost_is_that_of_a_baseline_trained_in_units_of_the_cost(ratio):
    """An arm that takes `ratio` times as much a token is set against a baseline with horizons that much shorter."""
    at_equal_tokens = speed_up(arm(1.3, 2e-3), baseline(0.5, 1.0, 1.5, 2.0))
    in_units_of_the_arm = {at / ratio: losses for at, losses in baseline(0.5, 1.0, 1.5, 2.0).items()}
    found, expected = at_equal_tokens.in_cost(ratio), speed_up(arm(1.3, 2e-3), in_units_of_the_arm)
    assert found.multiple.value == pytest.approx(expected.multiple.value)
    assert found.multiple.interval == pytest.approx(expected.multiple.interval)
    assert (found.lowest, found.highest, found.beyond) == (expected.lowest, expected.highest, expected.beyond)


def test_a_baseline_that_diverged_on_its_way_leaves_no_speed_up():
    losses = baseline(0.5, 1.0, 2.0)
    losses[2.0] |= {1: math.inf, 2: math.inf}
    found = speed_up(arm(1.3), losses).multiple
    assert (found.known, found.interval, found.reason) == (False, None, "2 of 4 runs of the baseline diverged")


def test_without_costs_there_is_no_speed_up_at_equal_cost():
    found = speed_up(arm(3.0), baseline(0.5, 1.0, 2.0)).in_cost(math.nan)
    assert found.to_json()["reason"] == "the costs are not known"
    assert found.to_json() | {"interval": None, "beyond": None, "trained": [None, None]} == found.to_json()


def test_beyond_what_was_trained_nothing_is_extrapolated():
    above, below = speed_up(arm(3.0), baseline(0.5, 1.0, 2.0)), speed_up(arm(0.3), baseline(0.5, 1.0, 2.0))
    assert (above.beyond, below.beyond) == ("above", "below")
    assert not above.multiple.known
    assert above.to_json()["interval"] == [2.0, None]
    assert below.to_json()["interval"] == [None, 0.5]
    assert above.to_json()["trained"] == [0.5, 2.0]


def test_without_other_horizons_there_is_no_speed_up():
    assert "several multiples" in speed_up(arm(1.3), baseline(1.0)).multiple.reason
    assert "1 seeds" in speed_up({1: 1.5, 9: 1.5}, baseline(1.0, 2.0)).multiple.reason
    assert "1 of 2 runs diverged" in speed_up({1: 1.5, 2: math.inf}, baseline(1.0, 2.0)).multiple.reason
    assert speed_up({}, {}).to_json()["trained"] == [None, None]


def test_a_baseline_that_rises_by_noise_is_made_to_fall():
    curves = baseline(0.5, 1.0, 1.5, 2.0)
    curves[1.5] = {seed: value + 0.01 for seed, value in curves[1.5].items()}
    found = speed_up(arm(1.0), curves).multiple
    assert 0.9 < found.value < 2.0


def test_speed_ups_are_covered():
    done = [speed_study(seed, 1.3).multiple for seed in range(60)]
    assert sum(not one.excludes(1.3) for one in done) >= 53


RATES = [1e-3 * 2.0**k for k in range(-2, 4)]
LOSSES = {rate: 1.6 + 0.01 * math.log2(rate / 1.2e-3) ** 2 for rate in RATES}


def test_sensitivity_is_the_mean_over_two_octaves():
    excess = [0.01 * math.log2(2.0**k / 1.2) ** 2 for k in range(-2, 3)]
    found = rate_sensitivity(LOSSES, 1e-3)
    assert found.value == pytest.approx(np.mean(excess) - min(excess))
    assert found.N == 5


def test_sensitivity_needs_every_rate_of_the_window():
    found = rate_sensitivity(LOSSES, 2e-3 * 2)
    assert not found.known
    assert found.reason == "rates not tried: 0.016"


def test_a_diverged_rate_counts_as_the_unigram_loss():
    losses = LOSSES | {4e-3: math.inf}
    assert "diverged" in rate_sensitivity(losses, 1e-3).reason
    assert rate_sensitivity(losses, 1e-3, highest=3.3).value > 0.3


def test_the_best_rate_lies_between_grid_points():
    assert best_between(LOSSES) == pytest.approx(1.2e-3)


@pytest.mark.parametrize(
    "losses", [{}, {1e-3: 1.6}, LOSSES | {2e-3: math.inf}, LOSSES | {RATES[0]: 1.5}, dict.fromkeys(RATES, 1.6)]
)
def test_the_best_rate_between_grid_points_is_not_known(losses):
    assert math.isnan(best_between(losses))


def test_slopes_over_sizes():
    widths = {32.0: 3e-3, 64.0: 2.2e-3, 96.0: 1.7e-3, 128.0: 1.6e-3}
    found, fit = rate_slope(widths), stats.linregress(np.log(list(widths)), np.log(list(widths.values())))
    half = stats.t.ppf(0.975, 2) * fit.stderr
    assert found.value == pytest.approx(fit.slope)
    assert found.interval == pytest.approx((fit.slope - half, fit.slope + half))
    assert "needs 3" in rate_slope({32.0: 1e-3, 64.0: 2e-3}).reason
    assert "exactly" in rate_slope({32.0: 1e-3, 64.0: 1e-3, 128.0: 1e-3}).reason
    assert not rate_slope({32.0: 1e-3}).known


def test_the_gain_over_sizes_is_a_slope_of_each_seed():
    differences = {
        N: {seed: own - 0.01 * math.log(N) * (1 + seed / 10) for seed, own in SEEDS.items()} for N in (25e3, 1e5)
    }
    found = gain_slope(differences, "nats per token")
    assert found.value == pytest.approx(-0.01 * 1.25)
    assert found.excludes(0)
    assert "one size" in gain_slope({25e3: {1: 0.1}}, "").reason
    assert "1 seeds" in gain_slope({25e3: {1: 0.1}, 5e4: {1: 0.2, 2: 0.3}}, "").reason
