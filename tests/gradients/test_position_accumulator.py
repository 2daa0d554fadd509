"""What each position contributes, against contributions that are written out from what hooks see."""

import pytest
import torch
from test_exact import FAMILIES, odd
from tiny import moved_model
from torch import nn
from torch.nn import functional

from zerosum.gradients._exact import exact_sums
from zerosum.gradients._oracle import oracle_sums
from zerosum.gradients._positionwise import positionwise_sums


def contributions(model, tokens):
    """Module -> its uses in one sequence, each the layer's input and the gradient of its output, [1, n, ...]."""
    seen, hooks = {}, []

    def remember(module, inputs, output):
        use = [inputs[0].detach(), None]
        seen.setdefault(module, []).append(use)
        output.register_hook(lambda gradient: use.__setitem__(1, gradient))

    for module in model.modules():
        if next(module.parameters(recurse=False), None) is not None:
            hooks.append(module.register_forward_hook(remember))
    output = model(tokens[:, :-1])
    logits = getattr(output, "logits", output).flatten(0, 1)
    functional.cross_entropy(logits, tokens[:, 1:].flatten(), reduction="sum").backward()
    model.zero_grad()
    for hook in hooks:
        hook.remove()
    return seen


def of_position(module, x, g, t):
    """name of a parameter -> contribution of position t in one use of the layer."""
    if isinstance(module, nn.Embedding):
        found = torch.zeros_like(module.weight)
        if x[0, t] != module.padding_idx:
            found[x[0, t]] = g[0, t]
        return {"weight": found}
    x, g = x[0, t].reshape(-1, x.shape[-1]), g[0, t].reshape(-1, g.shape[-1])
    found = {"bias": g.sum(0)} if getattr(module, "bias", None) is not None else {}
    if module.weight.ndim == 1:
        weight, bias = module.weight.detach(), 0 if getattr(module, "bias", None) is None else module.bias.detach()
        return found | {"weight": (g * (module(x).detach() - bias) / weight).sum(0)}
    product = g.T @ x
    return found | {"weight": product if isinstance(module, nn.Linear) else product.T}


def written_out(model, tokens):
    """name -> sum over positions of |contribution|; a matrix used twice has the sum of both in one position."""
    names = {id(one): name for name, one in model.named_parameters()}
    mass = {name: torch.zeros_like(one, requires_grad=False) for name, one in model.named_parameters()}
    for sequence in tokens:
        seen = contributions(model, sequence[None])
        for t in range(tokens.shape[1] - 1):
            here = {}
            for module, uses in seen.items():
                for x, g in uses:
                    for which, value in of_position(module, x, g, t).items():
                        name = names[id(getattr(module, which))]
                        here[name] = here.get(name, 0) + value
            for name, value in here.items():
                mass[name] += value.abs()
    return mass


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_the_written_out_contributions(family, tied, tokens):
    model = moved_model(family, tied=tied)
    exact = oracle_sums(model, tokens)
    found = positionwise_sums(model, tokens)
    for name, expected in written_out(model, tokens).items():
        assert float((found.mass[name] - expected).abs().max()) <= 1e-6 * float(expected.max()), name
        assert float((found.net[name] - exact.net[name]).abs().max()) <= 1e-6 * float(exact.mass[name].max()), name


def test_layers_used_twice_without_a_separate_head(tokens):
    model = odd()
    found = positionwise_sums(model, tokens)
    for name, expected in written_out(model, tokens).items():
        assert float((found.mass[name] - expected).abs().max()) <= 1e-9 * float(expected.max()), name
    assert found.n_tokens == 36


def test_it_is_no_token_gradient_below_the_last_attention_and_one_behind_it(tokens):
    model = moved_model("llama", tied=False)
    proxy, exact = positionwise_sums(model, tokens), exact_sums(model, tokens)
    for name in ("model.layers.1.mlp.up_proj.weight", "model.norm.weight", "lm_head.weight"):
        assert torch.allclose(proxy.mass[name], exact.mass[name], rtol=1e-6), name
    for name in ("model.layers.0.mlp.up_proj.weight", "model.layers.1.self_attn.k_proj.weight"):
        assert float((proxy.mass[name] / exact.mass[name]).log().abs().mean()) > 0.05, name
