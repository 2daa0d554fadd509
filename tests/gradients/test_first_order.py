"""First-order changes against the oracle's gradients, and the identity that ties all the numbers together."""

import pytest
import torch
from test_exact import FAMILIES
from tiny import moved_model

from zerosum.gradients._exact import exact_sums
from zerosum.gradients._first_order import first_order
from zerosum.gradients._numbers import opposition
from zerosum.gradients._oracle import oracle_sums, token_gradients
from zerosum.gradients.parameters import trainable


def losses_of(model, tokens):
    """Of every token, nats."""
    logits = model(tokens[:, :-1]).logits.flatten(0, 1)
    losses = torch.nn.functional.cross_entropy(logits, tokens[:, 1:].flatten(), reduction="none")
    return losses.view(len(tokens), -1).detach()


def random_update(model):
    made = torch.Generator().manual_seed(3)
    return {p.name: 1e-2 * torch.randn(p.tensor.shape, generator=made, dtype=torch.float64) for p in trainable(model)}


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("family", FAMILIES)
def test_forward_mode_gives_the_oracles_changes(family, attention, tokens):
    model = moved_model(family, attention=attention)
    update = random_update(model)
    found = first_order(model, tokens, update)
    expected = [sum(float((g[name] * u).sum()) for name, u in update.items()) for g in token_gradients(model, tokens)]
    assert found.shape == (3, 12)
    assert float((found.flatten() - torch.tensor(expected)).abs().max()) <= 1e-6 * max(map(abs, expected))


@pytest.mark.parametrize("tied", [True, False])
def test_a_padding_id_has_no_gradient_as_input_and_keeps_it_as_output(tied, tokens):
    model = moved_model("llama", pad_token_id=0, tied=tied)
    update = random_update(model)
    expected = [sum(float((g[name] * u).sum()) for name, u in update.items()) for g in token_gradients(model, tokens)]
    found = first_order(model, tokens, update).flatten()
    assert float((found - torch.tensor(expected)).abs().max()) <= 1e-6 * max(map(abs, expected))


def test_a_parameter_without_update_does_not_move(tokens):
    model = moved_model("gpt2")
    assert float(first_order(model, tokens, {}).abs().max()) == 0


def test_numbers_are_those_of_the_written_out_matrix(tokens):
    model = moved_model("llama")
    update, parameters = random_update(model), trainable(model)
    g = torch.stack([torch.cat([v.flatten() for v in one.values()]) for one in token_gradients(model, tokens)])
    u = torch.cat([update[p.name].flatten() for p in parameters])
    p = g * u
    found = opposition(exact_sums(model, tokens), parameters, update)
    ratio = 1 - g.sum(0).abs() / g.abs().sum(0)
    assert found.touched == int((g != 0).any(0).sum())
    assert found.numel == g.shape[1]
    assert found.D_grad == pytest.approx(float(ratio[~ratio.isnan()].mean()), rel=1e-9)
    assert found.C_g == pytest.approx(float(p.sum(0).abs().sum() / p.abs().sum()), rel=1e-9)
    assert found.C_uG == pytest.approx(float(p.sum().abs() / p.sum(0).abs().sum()), rel=1e-9)
    changes = first_order(model, tokens, update)
    C_ug = float(p.sum(1).abs().sum() / p.abs().sum())
    assert float(changes.abs().sum()) / found.mass == pytest.approx(C_ug, rel=1e-6)


def test_gradient_descent_moves_every_coordinate_one_way(tokens):
    model = moved_model("qwen3")
    sums = oracle_sums(model, tokens)
    update = {name: -0.1 * net for name, net in sums.net.items()}
    assert opposition(sums, trainable(model), update).C_uG == pytest.approx(1.0, abs=1e-12)


def test_without_an_update_there_is_opposition_alone(tokens):
    model = moved_model("gpt2")
    found = opposition(exact_sums(model, tokens), trainable(model))
    assert 0 < found.D_grad < 1
    assert found.C_g != found.C_g  # NaN
