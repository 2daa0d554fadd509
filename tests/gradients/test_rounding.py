"""Gradients that are 0 but for rounding do not count, whichever way the sums were made."""

import copy
from math import isnan

import numpy as np
import pytest
import torch
from test_first_order import random_update
from tiny import VOCABULARY, moved_model

import zerosum
from zerosum.gradients.parameters import trainable


def of(found, name):
    return next(one for one in found.parameters if one.name == name)


@pytest.mark.parametrize("scale", [1.0, 6.0])
@pytest.mark.parametrize("family", ["gpt2", "gpt_neox"])
def test_float32_counts_what_float64_counts(family, scale, tokens):
    """A softmax ignores the key's bias, a part of the bias of queries, keys and values."""
    wide = moved_model(family)
    for one in trainable(wide):
        one.tensor.data *= scale if one.kind == "matrix" else 1.0
    narrow = copy.deepcopy(wide).float()
    expected = zerosum.gradient_interference(wide, tokens, method="oracle")
    for method in ("exact", "general", "oracle"):
        found = zerosum.gradient_interference(narrow, tokens, method=method)
        assert found.D_grad == pytest.approx(expected.D_grad, abs=1e-6)
        touched = [one.sums.touched for one in found.parameters]
        assert touched == [one.sums.touched for one in expected.parameters]
        assert any("rounding" in note for note in found.notes) == any(one.sums.rounding for one in found.parameters)
    biases = [one.sums.touched for one in expected.parameters if one.sums.numel == 48 and one.kind == "bias"]
    assert biases == [{"gpt2": 32, "gpt_neox": 40}[family]] * 2  # the key's 16, or those 8 that no rotation moves


def test_where_all_is_rounding_nothing_is_said(tokens):
    """Tokens that are all the same: no attention moves, so queries and keys have no gradient."""
    model, same = moved_model("llama").float(), torch.full((4, 9), 3)
    found = zerosum.gradient_interference(model, same, random_update(model))
    keys = of(found, "model.layers.0.self_attn.k_proj.weight")
    assert keys.sums.touched == 0
    assert keys.sums.rounding > 0
    assert all(map(isnan, (keys.D_grad, keys.C_g, keys.C_ug, keys.C_uG)))
    assert found.C_g == pytest.approx(1.0, abs=1e-6)  # gradients of equal tokens agree
    document = next(one for one in found.to_json()["parameters"] if one["name"] == keys.name)
    assert (document["D_grad"], document["touched"]) == (None, 0)
    assert "rounding" in document["D_grad_reason"]


def test_a_sample_leaves_rounding_out_too():
    model = moved_model("gpt2", n_layer=1).float()
    tokens = torch.randint(0, VOCABULARY, (24, 33), generator=torch.Generator().manual_seed(5))
    found = zerosum.gradient_interference(model, tokens, random_update(model), method="sampled", n_sampled=192)
    exact = zerosum.gradient_interference(model, tokens, random_update(model), method="exact")
    assert of(found, "transformer.h.0.attn.c_attn.bias").sums.touched == 32
    low, high = found.intervals["D_grad"]
    assert low < exact.D_grad < high


def test_small_gradients_that_are_no_rounding_count(tokens):
    """A feed-forward unit that hardly reaches the output: its gradients are small, and right to all digits."""
    model = moved_model("llama").float()
    model.model.layers[0].mlp.down_proj.weight.data[:, 0] *= 1e-3
    found = zerosum.gradient_interference(model, tokens)
    gate = of(found, "model.layers.0.mlp.gate_proj.weight")
    assert gate.sums.touched == gate.sums.numel
    assert not any("rounding" in note for note in found.notes)
    assert np.isfinite(gate.D_grad)


def test_small_gradients_of_a_layer_without_biases_count(tokens):
    """Those of a whole matrix may be far below the rest of its layer's, some of them below what rounding is there."""
    model = moved_model("llama").float()
    model.model.layers[0].mlp.down_proj.weight.data *= 1e-5
    narrow, wide = (zerosum.gradient_interference(one, tokens) for one in (model, copy.deepcopy(model).double()))
    for found in (narrow, wide):
        gate = of(found, "model.layers.0.mlp.gate_proj.weight")
        assert gate.sums.touched == gate.sums.numel
    assert narrow.D_grad == pytest.approx(wide.D_grad, abs=1e-6)
