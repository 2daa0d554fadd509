"""The positionwise proxy against outer products written out, and against what it is not."""

import pytest
import torch
from test_exact import FAMILIES, odd
from test_first_order import random_update
from tiny import moved_model
from torch import nn
from torch.nn import functional

import zerosum
from zerosum.errors import InputError
from zerosum.gradients._oracle import oracle_sums
from zerosum.gradients._positionwise import positionwise_sums
from zerosum.gradients.parameters import trainable


def written_out(model, tokens):
    """Name of a Linear or Conv1D matrix -> |outer product| of each position, added up one at a time."""
    seen, sums = {}, {}
    hooks = []
    for path, module in model.named_modules():
        if isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D":

            def remember(module, inputs, output, path=path):
                output.retain_grad()
                seen[path] = (module, inputs[0].detach(), output)

            hooks.append(module.register_forward_hook(remember))
    logits = model(tokens[:, :-1]).logits
    for hook in hooks:
        hook.remove()
    functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="sum").backward()
    for path, (module, inputs, output) in seen.items():
        rows, columns = output.grad.reshape(-1, output.shape[-1]), inputs.reshape(-1, inputs.shape[-1])
        turned = not isinstance(module, nn.Linear)
        pairs = zip(*((columns, rows) if turned else (rows, columns)), strict=True)
        sums[f"{path}.weight"] = sum(torch.outer(r, c).abs() for r, c in pairs)
    model.zero_grad()
    return sums


@pytest.mark.parametrize("family", FAMILIES)
def test_outer_products_of_every_position(family, tokens):
    model = moved_model(family, tied=False)
    found, expected = positionwise_sums(model, tokens), written_out(model, tokens)
    assert len(expected) > 3
    for name, mass in expected.items():
        assert torch.allclose(found.mass[name], mass, rtol=1e-9, atol=1e-12), name
    assert found.n_tokens == 36


@pytest.mark.parametrize("tied", [True, False])
def test_the_sum_over_positions_is_the_sum_over_tokens(tied, tokens):
    model = moved_model("llama", tied=tied)
    found, expected = positionwise_sums(model, tokens), oracle_sums(model, tokens)
    for name, net in expected.net.items():
        assert float((found.net[name] - net).abs().max()) <= 1e-6 * float(net.abs().max()), name  # float32 norms
        assert bool((found.mass[name] >= found.net[name].abs() * (1 - 1e-12)).all())


def test_it_is_the_token_gradient_at_the_head_alone(tokens):
    model = moved_model("llama", tied=False)
    found, expected = positionwise_sums(model, tokens), oracle_sums(model, tokens)
    head, below = "lm_head.weight", "model.layers.0.mlp.up_proj.weight"
    assert torch.allclose(found.mass[head], expected.mass[head], rtol=1e-9, atol=1e-15)
    assert float((found.mass[below] - expected.mass[below]).abs().max()) > 0.01 * float(expected.mass[below].max())


def test_rows_of_norms_and_embeddings_count_by_position():
    model = moved_model("llama", tied=False)
    tokens = torch.tensor([[3, 3, 3, 5]])  # one row of the embedding, at three positions
    found, model_inputs = positionwise_sums(model, tokens), model.model.embed_tokens(tokens[:, :-1]).detach()
    model_inputs.requires_grad_()
    logits = model(inputs_embeds=model_inputs).logits
    loss = functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="sum")
    (gradient,) = torch.autograd.grad(loss, model_inputs)
    assert torch.allclose(found.mass["model.embed_tokens.weight"][3], gradient[0].abs().sum(0), rtol=1e-9)
    norm = "model.norm.weight"
    assert torch.allclose(
        found.mass[norm], oracle_sums(model, tokens).mass[norm], rtol=1e-5
    )  # nothing attends after it


def test_it_stands_under_its_own_name_and_not_as_token_gradients(tokens):
    model = moved_model("qwen3")
    update = random_update(model)
    found, exact = (
        zerosum.gradient_interference(model, tokens, update, method=method, tokens_per_batch=12)
        for method in ("positionwise", "exact")
    )
    document = found.to_json()
    for name in ("D_grad", "D_grad_matrices", "C_g", "C_ug"):
        assert document[name] is None
        assert "no token gradient" in document[f"{name}_reason"]
    assert (document["parameters"], document["n_sampled"]) == ([], 0)
    assert document["C_uG"] == pytest.approx(exact.C_uG, rel=1e-6)
    assert document["D_first_order"] == exact.D_first_order
    sums = positionwise_sums(model, tokens)
    mass = sum(float((update[one.name].abs() * sums.mass[one.name]).sum()) for one in trainable(model))
    net = sum(float((update[one.name] * sums.net[one.name]).abs().sum()) for one in trainable(model))
    assert document["positionwise"]["C_g"] == pytest.approx(net / mass, rel=1e-9)
    assert document["positionwise"]["D_grad"] != pytest.approx(exact.D_grad, rel=1e-3)
    assert len(document["positionwise"]["layers"]) == len(exact.layers)


def test_a_model_of_own_layers_is_refused(tokens):
    with pytest.raises(InputError, match="Choose general"):
        zerosum.gradient_interference(odd(own_parameter=True), tokens, method="positionwise")
