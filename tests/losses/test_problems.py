"""What is said of measured checkpoints, on curves whose faults are known."""

import math

import numpy as np
import pytest

from zerosum.losses._problems import implausible_losses, worse_than_chance

STEPS = [2**k for k in range(12)]


def falling(noise=0.0):
    generator = np.random.default_rng(0)
    return {step: 2 + 8 * step**-0.3 + float(generator.normal(0, noise)) for step in STEPS}


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.05])
def test_a_falling_loss_is_plausible(noise):
    assert implausible_losses(falling(noise), {}) == []


def test_no_number_is_said_with_its_cause():
    means = {1: math.nan, 2: math.inf, 4: math.nan}
    broken, whole, unknown = implausible_losses(means, {1: "norm.weight", 2: None})
    assert broken.message.startswith(
        "step 1: its mean loss is no number: its weights hold NaN or infinite numbers ('norm"
    )
    assert "step 2: its mean loss is no number, though its weights are" in whole.message
    assert unknown.message == "step 4: its mean loss is no number. Leave it out."


@pytest.mark.parametrize("step", [4, 64, 1024, 2048])
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_one_that_is_too_high_is_found_and_no_other(step, noise):
    means = falling(noise)
    means[step] += 4
    (found,) = implausible_losses(means, {})
    assert (found.code, found.steps) == ("implausible-loss", (step,))


@pytest.mark.parametrize("step", [1, 16, 128])
def test_one_that_is_too_low_is_found_and_no_other(step):
    means = falling()
    means[step] = 1.0
    (found,) = implausible_losses(means, {})
    assert found.steps == (step,)


def test_a_loss_that_rises_for_good_is_plausible():
    assert implausible_losses({step: 3.0 if step < 64 else 6.0 for step in STEPS}, {}) == []


def test_no_number_is_always_said():
    (found,) = implausible_losses({1: 3.0, 2: math.nan}, {})
    assert found.steps == (2,)


def test_worse_than_guessing_evenly():
    even = math.log(1000)
    assert worse_than_chance({0: 9.0, 1: even + 0.2, 2: 3.0}, 1000) == []
    assert worse_than_chance({1: even + 0.2}, 1000) == []  # a model that has hardly begun
    (found,) = worse_than_chance({0: even, 1: 9.0, 2: 8.0}, 1000)
    assert (found.code, found.steps) == ("tokenizer-does-not-fit", (1, 2))
