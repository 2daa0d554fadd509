"""The layer rules are held against plain backward passes as closely as the model's own rounding allows."""

import numpy as np
import pytest
import torch
from tiny import VOCABULARY, moved_model

import zerosum
from zerosum.gradients import _agreement
from zerosum.gradients._exact import layout_of
from zerosum.gradients.batches import measuring
from zerosum.gradients.layerwise._pieces import Unsupported


def sharp_model():
    """Attention so sharp that float32 gradients are off by 6e-4, as in trained models with very large activations."""
    torch.manual_seed(0)
    model = moved_model("gpt2", num_hidden_layers=4)
    for name, parameter in model.named_parameters():
        parameter.data *= 16 if "c_attn" in name else 1
    return model


@pytest.fixture(scope="module")
def longer_tokens():
    return torch.randint(0, VOCABULARY, (3, 33), generator=torch.Generator().manual_seed(0))


def test_a_model_whose_float32_is_coarse_is_measured_by_the_layer_rules(longer_tokens, monkeypatch):
    model = sharp_model().float()
    measured = zerosum.gradient_interference(model, longer_tokens)
    assert measured.method == "exact"
    expected = zerosum.gradient_interference(sharp_model(), longer_tokens, method="oracle")
    assert measured.D_grad == pytest.approx(expected.D_grad, abs=1e-3)
    np.testing.assert_allclose(measured.per_token["norm_l1"], expected.per_token["norm_l1"], rtol=1e-2)
    with measuring(model):
        errors = _agreement._float32_errors(model, longer_tokens, [(0, 15), (1, 31)])
        assert 9e-5 < max(errors.values()) < 1e-2
        monkeypatch.setattr(_agreement, "OWN", 0)
        with pytest.raises(Unsupported):
            layout_of(model, longer_tokens)


@pytest.mark.parametrize("used", [0.1, 1.0])
def test_a_weight_used_past_its_layer_is_seen_in_it_all_the_same(used, longer_tokens):
    model = sharp_model().float()
    layer = model.transformer.h[1].mlp.c_proj
    layer.register_forward_hook(lambda module, given, output: output + used * (given[0] @ module.weight))
    measured = zerosum.gradient_interference(model, longer_tokens)
    assert measured.method == "general"
    assert any("c_proj" in note or "layers" in note for note in measured.notes)


def test_without_float64_the_usual_limit_holds(longer_tokens, monkeypatch):
    """As of layers made for float32 alone, or where a copy does not fit the memory."""
    model = sharp_model().float()
    monkeypatch.setattr(_agreement, "free_memory", lambda device: 0)
    with measuring(model):
        assert _agreement._float32_errors(model, longer_tokens, [(0, 15)]) == {}
    assert zerosum.gradient_interference(model, longer_tokens).method == "general"
