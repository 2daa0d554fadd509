"""A sample of tokens against all of them. `make check-long` takes more samples of the same models."""

import numpy as np
import pytest
import torch
from sampled_accuracy import accuracy, check_accuracy, random_model, trained_model
from test_first_order import losses_of, random_update
from tiny import VOCABULARY, moved_model

import zerosum
from zerosum.errors import InputError
from zerosum.gradients._oracle import token_gradients
from zerosum.gradients._sample import GROUPS, calibrated, draw
from zerosum.gradients._sampled import sampled_mass

DRAWS = 16  # `make check-long` takes 100
LENGTHS = np.array([2, 4, 7, 11, 16, 22, 28, 33])
C = ("C_g", "C_ug", "D_grad", "D_grad_matrices")


def test_a_draw_counts_every_token_once():
    sample = draw(40, sequences=8, positions=33, seed=0)
    assert sample.position.shape == (5, 8)
    assert sample.weight.sum() == sample.N == 8 * 33
    assert (np.diff(sample.position, axis=0) > 0).all()
    assert np.bincount(sample.group.ravel(), minlength=GROUPS).tolist() == [5] * GROUPS


def test_every_token_is_drawn_equally_often_for_its_weight():
    counted = np.zeros((4, 10))
    for seed in range(3_000):
        sample = draw(16, sequences=4, positions=10, seed=seed)
        counted[np.arange(4), sample.position] += sample.weight
    assert np.abs(counted / 3_000 - 1).max() < 5 * np.sqrt(2.0 / 3_000)  # weights of at most 3: variance at most 2


def test_calibrated_weights_add_up_the_auxiliary_variable():
    known = np.random.default_rng(0).random((8, 33))
    sample = calibrated(draw(40, sequences=8, positions=33, seed=0), known)
    assert sample.weight.sum() == pytest.approx(8 * 33)
    assert (sample.weight * known[np.arange(8), sample.position]).sum() == pytest.approx(known.sum())


@pytest.mark.parametrize(("n", "why"), [(3, "too few"), (36, "all of these 36 tokens.*exact")])
def test_samples_that_make_no_sense_are_refused(n, why, tokens):
    with pytest.raises(InputError, match=why):
        zerosum.gradient_interference(moved_model("llama"), tokens, method="sampled", n_sampled=n)


def test_texts_of_every_length_give_their_share():
    """Each length is a batch: no more than a token of each text, and its share of the sample."""
    rng = np.random.default_rng(4)
    model, tokens = moved_model("llama", num_hidden_layers=1), rng.integers(0, VOCABULARY, (24, 33))
    for row, length in zip(tokens, np.repeat(LENGTHS, 3), strict=True):
        row[length:] = -1
    update = random_update(model)
    exact = zerosum.gradient_interference(model, tokens, update, method="exact")
    held, N = [], 3 * (LENGTHS - 1).sum()
    shares = 3 * np.ceil(96 / N * (LENGTHS - 1)).sum()
    for seed in range(5):
        found = zerosum.gradient_interference(model, tokens, update, method="sampled", n_sampled=96, seed=seed)
        assert (found.N, found.n_sampled) == (N, shares)
        known = np.isfinite(found.per_token["moved"])
        assert known.any(1).all()
        np.testing.assert_allclose(found.per_token["moved"][known], exact.per_token["moved"][known], rtol=1e-6)
        held.append([ends[0] <= getattr(exact, name) <= ends[1] for name, ends in found.intervals.items() if name in C])
    assert np.mean(held) >= 0.8


def test_intervals_hold_where_little_is_left_unseen():
    model, tokens = moved_model("llama", num_hidden_layers=1), torch.randint(0, VOCABULARY, (8, 32))
    update = random_update(model)
    exact, held = zerosum.gradient_interference(model, tokens, update, method="exact"), []
    for seed in range(12):
        found = zerosum.gradient_interference(model, tokens, update, method="sampled", n_sampled=224, seed=seed)
        assert (found.N, found.n_sampled) == (248, 224)
        held.append([low <= getattr(exact, name) <= high for name, (low, high) in found.intervals.items() if name in C])
    assert np.mean(held) >= 0.85  # 0.56 without what is unseen in the correction of bias


def test_small_batches_are_spread_over_the_groups():
    groups = np.concatenate([draw(1, sequences=1, positions=9, seed=seed).group.ravel() for seed in range(400)])
    assert np.bincount(groups, minlength=GROUPS).min() > 25  # 50 of each are expected


def test_what_stands_for_itself_alone_leaves_no_doubt(tokens):
    model = moved_model("llama")
    found = sampled_mass(model, tokens, random_update(model), losses_of(model, tokens), n_tokens=36)
    assert found.weight.tolist() == pytest.approx([1.0] * 36, abs=1e-9)
    assert found.moved_interval() == pytest.approx((found.total_moved(),) * 2, rel=1e-6)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("tied", [True, False])
def test_sampled_tokens_have_the_oracles_sums(family, tied, tokens):
    model = moved_model(family, tied=tied)
    update = random_update(model)
    found = sampled_mass(model, tokens, update, losses_of(model, tokens), n_tokens=18, seed=1)
    sample = draw(18, 3, 12, seed=1)
    which = [(s, int(k)) for row in sample.position for s, k in enumerate(row)]
    whole = {name: sum(part[name] for part in found.parts) for name in found.parts[0]}
    expected = {name: torch.zeros_like(value) for name, value in whole.items()}
    for i, gradients in enumerate(token_gradients(model, tokens, which)):
        for name, gradient in gradients.items():
            moved = float((gradient * update[name]).abs().sum())
            assert found.moved[name][i] == pytest.approx(moved, rel=1e-9, abs=1e-15)
            if name in expected:
                expected[name] += found.weight[i] * gradient.abs()
    for name, value in expected.items():
        assert torch.allclose(whole[name], value, rtol=1e-9, atol=1e-15), name


def test_estimates_are_close_and_their_intervals_cover():
    check_accuracy(*accuracy(*random_model(), DRAWS))


@pytest.mark.long
def test_a_real_step_of_a_trained_model_sampled(reference_data):
    """As above, for a model that was trained, on text: gradients of tokens differ more, the more it was trained."""
    check_accuracy(*accuracy(*trained_model(reference_data, "late"), DRAWS))


def test_groups_are_spread_over_stretches_of_positions():
    """A group that were one stretch of all sequences would take all gradients of some position embeddings with it."""
    for m in (2, 4, 8, 16):
        group = draw(24 * m, sequences=24, positions=64, seed=0).group
        assert all(np.bincount(stretch, minlength=GROUPS).tolist() == [3] * GROUPS for stretch in group)


def test_what_too_few_tokens_touch_is_said_to_be_unknown():
    """Rows of position embeddings: most of one's gradient is that of the tokens at its position, seldom drawn."""
    model = moved_model("gpt2", n_layer=1).float()
    tokens = torch.randint(0, VOCABULARY, (8, 33), generator=torch.Generator().manual_seed(5))
    exact, found = (
        zerosum.gradient_interference(model, tokens, method=method, n_sampled=64) for method in ("exact", "sampled")
    )
    positions = next(one for one in found.parameters if one.name == "transformer.wpe.weight")
    assert positions.interval == (0.0, 1.0)
    low, high = found.intervals["D_grad"]
    share = positions.sums.touched / sum(one.sums.touched for one in found.parameters)
    assert low < exact.D_grad < high
    assert high - low > share
    assert "position embeddings" in found.notes[-1]
    assert abs(found.D_grad - exact.D_grad) < 0.02
    for one, its in zip(found.parameters, exact.parameters, strict=True):
        if one.kind == "matrix" and one is not positions:
            assert abs(one.D_grad - its.D_grad) < 0.02, one.name


def test_the_same_seed_gives_the_same_estimate(tokens):
    model = moved_model("qwen3")
    one, other = (
        sampled_mass(model, tokens, random_update(model), losses_of(model, tokens), n_tokens=18, seed=3)
        for _ in range(2)
    )
    assert one.total_moved() == other.total_moved()
