"""Models are called in one place, without a cache of keys and values."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import moved_model, tiny_model
from torch import nn
from torch.nn import functional

import zerosum
from zerosum.dissent import measure_dissent
from zerosum.losses.forward import body_output, logits_of

SRC = Path(zerosum.__file__).parent
BART = {"decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 8, "is_decoder": True}
OWN_SIZES = {
    "bart": {"d_model": 8} | BART,
    "llama": {},
    "mamba": {"state_size": 2},
    "rwkv": {"attention_hidden_size": 8, "num_hidden_layers": 2},
}


class Around(nn.Module):
    """A module around a model, as trainers make them: it passes no options on."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, ids):
        return self.inner(ids)


def at_two_depths(wrapped):
    """A llama whose one layer object stands at two depths: with a cache, its second call sees the keys of its first."""
    model = moved_model("llama")
    model.model.layers[1] = model.model.layers[0]
    return Around(model) if wrapped else model


def brute_force(model, tokens):
    """D_grad, and the loss of each token, from one plain backward pass each."""
    body = [one for name, one in model.named_parameters() if "embed" not in name and "head" not in name]
    rows, losses = [], []
    for row in tokens:
        for t in range(len(row) - 1):
            logits = getattr(model, "inner", model)(row[None, :-1], use_cache=False).logits
            loss = functional.cross_entropy(logits[0, t], row[t + 1])
            rows.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, body)]))
            losses.append(loss.item())
    g = torch.stack(rows)
    mass = g.abs().sum(0)
    return float((1 - g.sum(0).abs() / mass)[mass > 1e-12].mean()), losses


@pytest.mark.parametrize("wrapped", [False, True])
def test_one_layer_at_two_depths_is_measured_without_a_cache(wrapped, tokens):
    model, tokens = at_two_depths(wrapped), tokens[:2, :8]
    D_grad, losses = brute_force(model, tokens)
    for method in ("auto", "general", "oracle"):
        measured = zerosum.gradient_interference(model, tokens, method=method)
        assert measured.D_grad == pytest.approx(D_grad, abs=1e-9), method
        assert measured.per_token["loss"].ravel() == pytest.approx(losses, rel=1e-5)
    update = {name: 1e-3 * torch.randn_like(one) for name, one in model.named_parameters()}
    changes = zerosum.gradient_interference(model, tokens, update, method="oracle").changes
    np.testing.assert_allclose(zerosum.first_order_changes(model, tokens, update), changes, rtol=1e-6)
    if not wrapped:
        assert measure_dissent(model, tokens.numpy()).per_token["loss"].ravel() == pytest.approx(losses, rel=1e-5)


@pytest.mark.parametrize("call", [logits_of, lambda model, ids: body_output(model.base_model, ids)])
@pytest.mark.parametrize("family", OWN_SIZES)
def test_no_module_is_called_with_a_cache(call, family):
    model, used = tiny_model(family, **OWN_SIZES[family]), []
    for module in model.modules():
        real = module.forward
        module.forward = partial(lambda real, *given, **options: used.append(options) or real(*given, **options), real)
    call(model, torch.arange(6)[None])
    assert {options["use_cache"] for options in used if "use_cache" in options} == {False}


def test_options_given_by_position_are_replaced():
    class Layer(nn.Module):
        def forward(self, x, use_cache=True, scale=1.0):
            return x * scale + use_cache

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = Layer()

        def forward(self, ids):
            return self.layer(ids[..., None].float(), True, 2.0), "more"

    model, ids = Outer(), torch.arange(3)[None]
    assert logits_of(model, ids).ravel().tolist() == [0, 2, 4]
    assert model(ids)[0].ravel().tolist() == [1, 3, 5]
    assert logits_of(lambda ids: ids[..., None] + 0.5, ids).ravel().tolist() == [0.5, 1.5, 2.5]


def test_a_scripted_model_is_measured():
    class Bigrams(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.head = nn.Embedding(9, 4), nn.Linear(4, 9)

        def forward(self, ids):
            return self.head(self.embedding(ids))

    model, ids = Bigrams(), np.arange(12).reshape(2, 6) % 9
    traced = torch.jit.trace(model, torch.as_tensor(ids[:, :-1]))
    np.testing.assert_allclose(zerosum.token_losses(traced, ids), zerosum.token_losses(model, ids), rtol=1e-6)


def test_one_place_decides_on_the_cache():
    chosen = re.compile(r"""use_cache\W{1,3}(True|False)""")
    places = {
        str(file.relative_to(SRC)) for file in SRC.rglob("*.py") if chosen.search(file.read_text(encoding="utf-8"))
    }
    assert places == {"losses/forward.py"}
