"""Weights that objectives give to tokens, against loops over tokens in plain Python, and their invariances."""

import math

import numpy as np
import pytest
import torch

from zerosum.training.objective_settings import BatchLosses
from zerosum.training.objectives.reweighting import ReweightingSettings
from zerosum.training.objectives.rho1 import Rho1Settings
from zerosum.training.objectives.z_loss import ZLossSettings

LEVELS, SHAPES = ("sequence", "token"), ("linupper", "quadratic", "extremes")


def drawn(seed, scale=1.0, shift=0.0, reference_shift=0.0, step=0, rounded=None):
    """Losses of 6 sequences of up to 7 tokens; most sequences end in padding."""
    rng = np.random.default_rng(seed)
    losses, reference = rng.gamma(2.0, 1.5, (2, 6, 7))
    if rounded is not None:
        losses, reference = losses.round(rounded), reference.round(rounded)
    predicted = np.arange(7) < rng.integers(1, 8, (6, 1))
    losses, reference = scale * losses + shift, reference + reference_shift
    both = [torch.as_tensor(np.where(predicted, values, 0.0)) for values in (losses, reference)]
    return BatchLosses(both[0], torch.as_tensor(predicted), both[1], step)


def reweighted(batch, level, f, r):
    """The rule token by token."""
    tokens = [(s, t) for s, t in np.ndindex(6, 7) if batch.predicted[s, t]]
    loss = {(s, t): float(batch.losses[s, t]) for s, t in tokens}
    if level == "sequence":
        means = {s: np.mean([loss[at] for at in tokens if at[0] == s]) for s in range(6)}
        loss = {at: means[at[0]] for at in tokens}
    low, high = min(loss.values()), max(loss.values())
    weights = np.zeros((6, 7))
    for at in tokens:
        h = 2 * (loss[at] - low) / (high - low) - 1
        score = {"linupper": min(h + 1, 1.0), "quadratic": 1 - h * h, "extremes": abs(h)}[f]
        weights[at] = math.exp(score / r)
    return weights / weights.sum()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("f", SHAPES)
def test_reweighting(seed, level, f):
    for r in (0.2, 1.0, 7.0):
        settings = ReweightingSettings(level=level, f=f, r=r)
        weights = settings.weights(drawn(seed)).numpy()
        np.testing.assert_allclose(weights, reweighted(drawn(seed), level, f, r), atol=1e-15)
        ratio = weights[weights > 0].max() / weights[weights > 0].min()
        assert ratio <= math.exp(1 / r) * (1 + 1e-12)
        if f == "linupper":
            assert ratio == pytest.approx(math.exp(1 / r))
        moved = settings.weights(drawn(seed, scale=3.7, shift=-2.0)).numpy()
        np.testing.assert_allclose(moved, weights, atol=1e-14)


def test_reweighting_of_equal_losses_and_in_the_burn_in_is_uniform():
    batch = drawn(0)
    uniform = batch.predicted / batch.predicted.sum()
    flat = BatchLosses(torch.where(batch.predicted, 2.5, 0.0).double(), batch.predicted, None, 9)
    for level in LEVELS:
        np.testing.assert_allclose(ReweightingSettings(level=level, r=0.1).weights(flat), uniform)
        burning = ReweightingSettings(level=level, burn_in=3)
        np.testing.assert_allclose(burning.weights(drawn(0, step=2)), uniform)
        assert not np.allclose(burning.weights(drawn(0, step=3)), uniform)
        np.testing.assert_allclose(ReweightingSettings(level=level, r=1e12).weights(batch), uniform, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("k", [0.01, 0.1, 0.5, 0.6, 1.0])
def test_rho1(seed, k):
    settings = Rho1Settings(reference="none", k=k)
    batch = drawn(seed, rounded=0)  # many ties
    tokens = [(s, t) for s, t in np.ndindex(6, 7) if batch.predicted[s, t]]
    excess = [float(batch.losses[at] - batch.reference[at]) for at in tokens]
    order = sorted(range(len(tokens)), key=lambda i: (-excess[i], i))
    kept = order[: math.ceil(round(k * len(tokens), 6))]
    expected = np.zeros((6, 7))
    for i in kept:
        expected[tokens[i]] = 1 / len(kept)
    weights = settings.weights(batch).numpy()
    np.testing.assert_array_equal(weights, expected)
    np.testing.assert_array_equal(settings.weights(drawn(seed, rounded=0, reference_shift=8.0)), weights)
    assert weights.sum() == pytest.approx(1)
    if k == 1:
        np.testing.assert_allclose(weights, batch.predicted.double() / batch.predicted.sum(), rtol=1e-15)


def test_the_gradient_of_z_loss_on_the_logits():
    logits = torch.randn(5, 11, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(ZLossSettings(c=0.3).added(logits).sum(), logits)
    log_z = logits.exp().sum(1, keepdim=True).log()
    torch.testing.assert_close(gradient, 2 * 0.3 * log_z * logits.exp() / log_z.exp())
