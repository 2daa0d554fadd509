"""Movement over equal-loss intervals: against a run whose checkpoints lie exactly on the losses, and known shifts."""

import math

import numpy as np
import pytest
from simulated_benches import LEVELS, movement_of, movement_study, wandering_of

from zerosum.comparison import equal_loss, preset_levels
from zerosum.errors import InputError

STEP = np.round(32 * 2 ** (np.arange(57) / 8))
TOKENS = np.random.default_rng(0).gamma(2, 1, 300)


def losses_at(L):
    """Losses of tokens whose mean is L (about), each on a smooth way of its own."""
    way = 1 + 0.4 * np.sin(3 * np.log(L)[:, None] + np.arange(300))
    rows = TOKENS * way
    return rows * (L / rows.mean(axis=1))[:, None]


def test_movement_is_that_of_checkpoints_at_the_very_losses():
    L = 5 * STEP**-0.15
    exact = losses_at(np.array([2.0, 1.7]))
    M = np.abs(exact[1] - exact[0]).mean()
    measured = equal_loss(STEP.tolist(), losses_at(L), [2.5, 2.0, 1.7]).over(2.0, 1.7)
    assert pytest.approx(M, rel=2e-3) == measured.M
    assert pytest.approx(1 - 0.3 / measured.M) == measured.D
    assert measured.per_nat == pytest.approx(measured.M / 0.3)
    assert [measured.from_step, measured.to_step] == pytest.approx(
        [(5 / 2.0) ** (1 / 0.15), (5 / 1.7) ** (1 / 0.15)], rel=0.01
    )


def test_a_few_checkpoints_will_do_with_less_accuracy():
    L, coarse = 5 * STEP**-0.15, slice(None, None, 8)
    exact = losses_at(np.array([2.5, 1.7]))
    measured = equal_loss(STEP[coarse].tolist(), losses_at(L)[coarse], [2.5, 1.7])
    assert pytest.approx(np.abs(exact[1] - exact[0]).mean(), rel=0.03) == measured.wide[0].M
    assert measured.parts == measured.wide


def test_speed_changes_nothing_at_equal_losses_but_much_at_equal_steps():
    runs = (movement_of(np.random.default_rng(1), 1.0, faster, noise=0.0) for faster in (1.0, 2.0))
    slow, fast = (run.parts[0] for run in runs)
    assert pytest.approx(slow.M, rel=1e-3) == fast.M
    assert slow.from_step / fast.from_step == pytest.approx(2, rel=0.02)
    assert pytest.approx(3 * math.log(LEVELS[0] / LEVELS[1]), rel=1e-3) == slow.M


@pytest.mark.parametrize("ratio", [1.25, 1.5, 2.0, 3.0])
def test_fast_crossings_have_no_less_movement(ratio):
    """Tokens that wander move like the square root of the distance, which a plane over overlapping windows misses."""
    runs = [wandering_of(np.random.default_rng(k), ratio) for k in range(60)]
    assert np.mean([found.parts[0].M / true for found, true in runs]) == pytest.approx(1, abs=0.015)


def test_an_interval_between_two_checkpoints_is_left_out():
    losses = losses_at(5 * STEP**-0.15)
    above, below = losses.mean(axis=1)[20:22] + np.array([-0.005, 0.005])
    parts = equal_loss(STEP.tolist(), losses, [2.5, above, below]).parts
    assert [(one.L_a, one.L_b) for one in parts] == [(2.5, above)]
    assert equal_loss(STEP.tolist(), losses, [above, below]).reason == "few-checkpoints"
    assert equal_loss(STEP.tolist(), losses, [9.0, above]).reason == "not-crossed"


def test_losses_that_are_not_crossed_are_in_no_interval():
    measured = equal_loss(STEP.tolist(), losses_at(5 * STEP**-0.15), [9.0, 2.5, 2.4, 2.0, 0.5])
    assert [(one.L_a, one.L_b) for one in measured.parts] == [(2.5, 2.4), (2.4, 2.0)]
    assert [(one.L_a, one.L_b) for one in measured.wide] == [(2.5, 2.4), (2.4, 2.0)]
    assert measured.over(2.5, 0.5) is None
    assert measured.wide[0].to_json().keys() == {"L_a", "L_b", "M", "D", "from_step", "to_step", "N", "per_nat"}
    assert equal_loss(STEP.tolist(), losses_at(5 * STEP**-0.15), [9.0, 0.5]).reason == "not-crossed"


def test_values_that_are_not_finite():
    losses = losses_at(5 * STEP**-0.15)
    whole = equal_loss(STEP.tolist(), losses, [2.5, 1.7]).wide[0]
    with_gap = np.hstack([losses, np.full((len(STEP), 1), np.nan)])
    assert equal_loss(STEP.tolist(), with_gap, [2.5, 1.7]).wide[0] == whole
    losses[40] = np.inf
    assert pytest.approx(whole.M, rel=0.01) == equal_loss(STEP.tolist(), losses, [2.5, 1.7]).wide[0].M
    assert equal_loss(STEP[:3].tolist(), losses[:3], [2.5, 1.7]).reason == "few-checkpoints"
    assert equal_loss([], np.zeros((0, 5)), [2.5, 1.7]).reason == "few-checkpoints"
    losses[0] = np.nan
    assert pytest.approx(whole.M, rel=0.01) == equal_loss(STEP.tolist(), losses, [2.5, 1.7]).wide[0].M


def test_when_all_tokens_move_alike_nothing_cancels():
    losses = np.outer(5 * STEP**-0.15, np.ones(10))
    assert pytest.approx(0, abs=1e-9) == equal_loss(STEP.tolist(), losses, [2.5, 1.7]).wide[0].D


@pytest.mark.parametrize("levels", [[2.0], [1.7, 2.5], [2.0, 2.0]])
def test_levels_must_fall(levels):
    with pytest.raises(InputError, match="from high to low"):
        equal_loss(STEP.tolist(), losses_at(5 * STEP**-0.15), levels)


def test_steps_must_rise():
    with pytest.raises(InputError, match="rising step"):
        equal_loss(STEP[::-1].tolist(), losses_at(5 * STEP**-0.15), [2.5, 1.7])


def test_preset_levels_are_the_losses_of_doublings():
    L = 5 * STEP**-0.15
    assert preset_levels(STEP.tolist(), L.tolist(), n=3) == pytest.approx(
        [L[-1] * 8**0.15, L[-1] * 4**0.15, L[-1] * 2**0.15]
    )
    assert preset_levels(STEP.tolist(), [1.0] * 57) == (1.0,)
    assert preset_levels([0.0, 1.0, 64.0], [9.0, math.inf, math.nan]) == ()
    assert preset_levels([0.0, *STEP.tolist()], [9.0, *L.tolist()]) == preset_levels(STEP.tolist(), L.tolist())


def test_paired_intervals_recover_a_known_shift():
    """Small: tests/long/check_bench.py has 1,000 studies."""
    done = [movement_study(seed) for seed in range(12)]
    assert np.mean([mean.value for mean, _ in done]) == pytest.approx(done[0][1], rel=0.1)
    assert sum(not mean.excludes(true) for mean, true in done) >= 10
