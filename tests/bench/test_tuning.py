"""The choice of a rate: a grid alike for every arm, extended once at an edge, checked by brute force."""

import math

import numpy as np
import pytest

from zerosum.bench.tuning import EXTENSION, grid, tune


def tuned(center, number, finalists, loss):
    """Tune to the end; loss: (rate, full) -> loss. Also every (rate, full) that was trained, in order."""
    losses, trained = {}, []
    while (tuning := tune(center, number, finalists, losses)).needed:
        for key in tuning.needed:
            assert key not in losses
            losses[key] = loss(*key)
            trained.append(key)
    return tuning, trained


def bowl(best, noise=0.0, seed=0):
    """Loss that is lowest at a rate, with noise; the short horizon alike."""
    rng = np.random.default_rng(seed)
    return lambda rate, full: 2 + 0.1 * math.log2(rate / best) ** 2 - 0.2 * full + noise * rng.normal()


@pytest.mark.parametrize("number", [3, 4, 5, 7])
@pytest.mark.parametrize("octaves", range(-8, 9))
def test_the_best_rate_or_an_edge(number, octaves):
    best = 2.0**octaves
    tuning, trained = tuned(1.0, number, 2, bowl(best))
    short = sorted(rate for rate, full in trained if not full)
    assert short == sorted(tuning.rates)
    assert len(short) in (number, number + EXTENSION)
    assert np.allclose(np.diff(np.log2(short)), 1)
    nearest = min(short, key=lambda rate: abs(math.log2(rate / best)))
    assert tuning.best == nearest
    assert tuning.at_edge is (nearest in (short[0], short[-1]))
    inside = grid(1.0, number)[0] < best < grid(1.0, number)[-1]
    assert inside <= (len(short) == number)


def test_finalists_are_the_best_short_rates_and_the_full_loss_decides():
    short = {0.25: 2.2, 0.5: 2.0, 1.0: 1.9, 2.0: 1.95, 4.0: 2.3}
    tuning, trained = tuned(1.0, 5, 2, lambda rate, full: {1.0: 1.7, 2.0: 1.6}[rate] if full else short[rate])
    assert [key for key in trained if key[1]] == [(1.0, True), (2.0, True)]
    assert (tuning.best, tuning.at_edge) == (2.0, False)


def test_an_edge_that_only_the_full_horizon_shows_extends_the_grid_too():
    def loss(rate, full):
        return {2.0: 1.8, 4.0: 1.5, 8.0: 1.6}[rate] if full else {2.0: 1.9, 4.0: 1.91, 8.0: 1.92}.get(rate, 2.5)

    tuning, _ = tuned(1.0, 5, 2, loss)
    assert tuning.rates == (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
    assert (tuning.best, tuning.at_edge) == (4.0, False)


def test_rates_that_diverge_are_never_chosen_unless_all_do():
    tuning, _ = tuned(1.0, 5, 2, lambda rate, full: math.inf if rate > 0.6 else bowl(1.0)(rate, full))
    assert (tuning.best, tuning.at_edge) == (0.5, False)
    tuning, trained = tuned(1.0, 5, 2, lambda rate, full: math.inf)
    assert tuning.at_edge
    assert len(trained) == 5 + EXTENSION + 2


@pytest.mark.parametrize("seed", range(20))
def test_noise_never_makes_it_train_twice_or_without_end(seed):
    tuning, trained = tuned(1.0, 5, 2, bowl(2.0 ** (seed % 7 - 3), noise=0.3, seed=seed))
    assert len(set(trained)) == len(trained) <= 5 + EXTENSION + 4
    assert tuning.best in tuning.rates
