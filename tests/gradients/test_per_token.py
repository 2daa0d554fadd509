"""Numbers of each token, against one backward pass for each of them and published ones."""

import numpy as np
import pytest
import torch
from test_exact import FAMILIES, odd
from test_first_order import losses_of, random_update
from tiny import moved_model

from zerosum.gradients._exact import exact_sums
from zerosum.gradients._general import general_sums
from zerosum.gradients._oracle import oracle_sums, token_gradients
from zerosum.gradients._sampled import SampledMass, sampled_mass


def assert_same_numbers(found, expected, within=1e-9):
    """Relative to the largest: sums of signed terms may be near 0."""
    assert found.signed.keys() == expected.signed.keys() == found.absolute.keys()
    pairs = [(found.l1, expected.l1), (found.l2_squared, expected.l2_squared)]
    pairs += [(found.absolute[name], expected.absolute[name]) for name in expected.absolute]
    for mine, its in pairs:
        np.testing.assert_allclose(mine, its, rtol=within, atol=1e-13 * its.max())
    for name, its in expected.signed.items():
        np.testing.assert_allclose(found.signed[name], its, rtol=0, atol=within * expected.absolute[name].max())


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_the_oracles_numbers(family, tied, attention, tokens):
    model = moved_model(family, tied=tied, attention=attention)
    update = random_update(model)
    expected = oracle_sums(model, tokens, update, per_token=True).tokens
    within = 1e-5 if attention == "eager" else 1e-9  # transformers' eager attention has its softmax in float32
    assert_same_numbers(exact_sums(model, tokens, update, per_token=True, block=5).tokens, expected, within)


def test_the_oracles_numbers_are_those_of_the_written_out_gradients(tokens):
    model = moved_model("llama")
    update = random_update(model)
    found = oracle_sums(model, tokens, update, which=[(1, 4)], per_token=True).tokens
    gradients = next(token_gradients(model, tokens, [(1, 4)]))
    g = torch.cat([value.flatten() for value in gradients.values()])
    assert found.l1[1, 4] == pytest.approx(float(g.abs().sum()), rel=1e-12)
    assert found.l2_squared[1, 4] == pytest.approx(float(g @ g), rel=1e-12)
    for name, value in gradients.items():
        p = value * update[name]
        assert found.signed[name][1, 4] == pytest.approx(float(p.sum()), rel=1e-9)
        assert found.absolute[name][1, 4] == pytest.approx(float(p.abs().sum()), rel=1e-12)
    assert np.isnan(found.l1).sum() == tokens[:, 1:].numel() - 1


def test_layers_used_twice_biases_and_the_general_path(tokens):
    for model in (odd(), moved_model("gpt2")):
        update = random_update(model)
        expected = oracle_sums(model, tokens, update, per_token=True).tokens
        assert_same_numbers(exact_sums(model, tokens, update, per_token=True).tokens, expected)
        assert_same_numbers(general_sums(model, tokens, update, per_token=True, chunk=5).tokens, expected)


@pytest.mark.parametrize("sums", [exact_sums, general_sums, oracle_sums])
def test_what_does_not_move_has_no_numbers_and_nothing_is_given_unasked(sums, tokens):
    model = moved_model("qwen3")
    some = {"model.norm.weight": random_update(model)["model.norm.weight"]}
    assert sums(model, tokens).tokens is None
    assert sums(model, tokens, per_token=True).tokens.signed == {}
    assert list(sums(model, tokens, some, per_token=True).tokens.absolute) == ["model.norm.weight"]


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", ["gpt2", "olmo2"])
def test_sampled_tokens_have_their_numbers_and_places(family, tied, tokens):
    model = moved_model(family, tied=tied)
    update = random_update(model)
    found = sampled_mass(model, tokens, update, losses_of(model, tokens), n_tokens=18, seed=1)
    places = found.row, found.at
    expected = oracle_sums(model, tokens, update, which=list(zip(*places, strict=True)), per_token=True).tokens
    np.testing.assert_allclose(found.l1, expected.l1[places], rtol=1e-9)
    np.testing.assert_allclose(found.l2_squared, expected.l2_squared[places], rtol=1e-9)
    for name in update:
        largest = np.nanmax(expected.absolute[name])
        np.testing.assert_allclose(found.moved[name], expected.absolute[name][places], rtol=1e-9, atol=1e-12 * largest)
        np.testing.assert_allclose(found.signed[name], expected.signed[name][places], rtol=0, atol=1e-9 * largest)


def test_samples_merge_token_by_token(tokens):
    model = moved_model("llama")
    parts = [
        sampled_mass(model, tokens, random_update(model), losses_of(model, tokens), n_tokens=18, seed=seed)
        for seed in (1, 2)
    ]
    parts[1].row[:] += len(tokens)
    whole = SampledMass.merge(parts)
    assert whole.row.tolist() == [*parts[0].row, *parts[1].row]
    for name in ("at", "l1", "l2_squared", "weight"):
        assert np.array_equal(getattr(whole, name)[18:], getattr(parts[1], name)), name
    assert np.array_equal(whole.signed["model.norm.weight"][:18], parts[0].signed["model.norm.weight"])
