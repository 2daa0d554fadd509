"""The gradient noise scale against gradients written out, closed forms, and simulated noise of known size."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from noise_coverage import drawn, repeated
from test_measure import written_out
from tiny import VOCABULARY, moved_model

import zerosum
from zerosum.gradients.noise import AS_NOISE, noise_scale
from zerosum.gradients.parameters import in_D_grad, trainable


@pytest.fixture(scope="module")
def model():
    return moved_model("llama", tied=False, num_hidden_layers=1)


@pytest.fixture(scope="module")
def ids():
    """12 sequences, some shorter."""
    ids = np.random.default_rng(0).integers(0, VOCABULARY, (12, 9))
    ids[::3, 6:] = -1
    return ids


@pytest.fixture(scope="module")
def gradients(model, ids):
    """[12, P] gradients of whole sequences in float64, by one backward pass per token."""
    inside = {parameter.name for parameter in in_D_grad(trainable(model))}
    rows = []
    for sequence in ids:
        tokens = torch.as_tensor(sequence[sequence >= 0])[None]
        zero = {parameter.name: torch.zeros_like(parameter.tensor) for parameter in trainable(model)}
        g, _, names = written_out(model, tokens, zero)
        rows.append(g.double().sum(0).numpy()[np.isin(names, list(inside))])
    return np.array(rows)


def test_it_is_that_of_gradients_written_out(model, ids, gradients):
    n = (ids[:, 1:] >= 0).sum(1)
    products = gradients @ gradients.T
    square = (products.sum() - products.trace()) / (n.sum() ** 2 - (n**2).sum())
    trace = (products.trace() - (n**2).sum() * square) / n.sum()
    cosines = products / np.sqrt(np.outer(products.diagonal(), products.diagonal()))
    for method, size in (("exact", "auto"), ("general", 40), ("sampled", 64)):
        noise = zerosum.gradient_interference(model, ids, method=method, n_sampled=64, tokens_per_batch=size).noise
        assert noise.gradient_squared == pytest.approx(square, rel=1e-4)
        assert noise.trace == pytest.approx(trace, rel=1e-4)
        assert noise.mean_cosine == pytest.approx(cosines[~np.eye(12, dtype=bool)].mean(), abs=0.01)
        assert (noise.n_units, noise.units, noise.conflict_rate_null) == (12, "sequence", 0.5)


def test_batches_drawn_again_have_the_variance_it_says(model, ids, gradients):
    full = np.flatnonzero((ids >= 0).all(1))
    g, n = gradients[full], 8
    noise = zerosum.gradient_interference(model, ids[full], method="positionwise").noise
    rng = np.random.default_rng(0)
    drawn_again = rng.multinomial(5, np.full(len(full), 1 / len(full)), 4_000)
    batches = drawn_again @ g / (5 * n)
    squared_error = np.square(batches - g.mean(0) / n).sum(1).mean()
    unbiased = len(full) / (len(full) - 1)
    assert squared_error * unbiased == pytest.approx(noise.trace / (5 * n), rel=0.03)


def test_splitting_the_tokens_changes_nothing(model, ids):
    whole, split = (
        zerosum.gradient_interference(model, ids, method="exact", tokens_per_batch=size).noise for size in ("auto", 8)
    )
    for name in ("gradient_squared", "trace", "at_least", "D_grad_noise", "D_grad_null_unit", "conflict_rate"):
        assert getattr(split, name) == pytest.approx(getattr(whole, name), rel=1e-6, nan_ok=True)


def test_documents_are_drawn_as_a_whole(model, ids):
    document = np.repeat(np.arange(6), 2)
    noise = zerosum.gradient_interference(model, ids, method="positionwise", unit=document).noise
    assert (noise.n_units, noise.units) == (6, "document")
    assert "interval needs at least 20" in noise.estimate("noise_scale").reason


def test_noise_that_hides_the_gradient_gives_a_lower_end_alone():
    sequences, _ = drawn(np.random.default_rng(1), n_units=24, noise_scale=1e9)
    noise = noise_scale(sequences)
    assert not noise.estimate("noise_scale").known
    assert noise.at_least > 0
    assert "at least" in noise.estimate("noise_scale").reason
    assert noise.to_json()["noise_scale"] is None


def test_the_cosine_between_micro_batches_gives_the_same_scale():
    sequences, B = drawn(np.random.default_rng(0), n_units=400, noise_scale=500.0)
    noise = noise_scale(sequences)
    b = noise.tokens_per_unit
    assert b * (1 / noise.mean_cosine - 1) == pytest.approx(noise.noise_scale, rel=0.15)
    assert noise.noise_scale == pytest.approx(B, rel=0.15)


def test_D_of_independent_gaussian_tokens_is_that_of_their_noise_scale():
    rng = np.random.default_rng(0)
    U, T, P, B = 100, 16, 2_000, 800.0
    mu = rng.standard_normal(P) / np.sqrt(B)
    g = mu + rng.standard_normal((U, T, P))
    G, mass = g.sum(1), np.abs(g).sum((0, 1))
    D = float(np.mean(1 - np.abs(G.sum(0)) / mass))
    alone = np.sqrt(2 / np.pi) * np.mean(np.sqrt(np.square(G).sum(0)) / mass) / (1 - D)
    sequences, _ = drawn(rng, n_units=U)
    sequences = replace(
        sequences,
        tokens=np.full(U, T),
        squared=np.square(G).sum(1),
        sketch=G.astype(np.float32),
        total_squared=float(np.square(G.sum(0)).sum()),
    )
    noise = noise_scale(sequences, D, float(alone))
    assert noise.noise_scale == pytest.approx(B, rel=0.1)
    exact = 1 - np.sqrt((1 / (U * T) + 1 / B) / (1 + 1 / B))
    assert noise.D_grad_noise == pytest.approx(exact, abs=0.003)
    assert pytest.approx(exact, abs=0.003) == D
    assert noise.compared(D) == AS_NOISE


@pytest.mark.parametrize("case", [{}, {"n_units": 24, "unequal": True, "noise_scale": 3_000.0}])
def test_intervals_cover(case):
    covered, _, error = repeated(60, **case)
    assert covered >= 0.88
    assert abs(error) < 4
