"""How batches are made, halved and passed through the model changes neither numbers nor the model."""

import numpy as np
import pytest
import torch
from test_first_order import random_update
from test_measure import written_out
from tiny import VOCABULARY, moved_model

import zerosum
from zerosum.gradients import _passes
from zerosum.gradients._verify import verify


def test_the_size_of_batches_changes_nothing(tokens):
    model = moved_model("olmo2")
    update = random_update(model)
    one, other = (
        zerosum.gradient_interference(model, tokens, update, tokens_per_batch=size).to_json() for size in (12, 36)
    )
    numbers = ("D_grad", "D_grad_matrices", "C_g", "C_ug", "C_uG", "D_first_order", "M_loss")
    assert [one[name] for name in numbers] == pytest.approx([other[name] for name in numbers], rel=1e-9)


def test_padded_sequences_are_measured_without_their_padding(tokens):
    model = moved_model("llama")
    padded = tokens.numpy().copy()
    padded[1, 6:] = -1
    found = zerosum.gradient_interference(model, padded, random_update(model))
    g, u, _ = written_out(model, tokens, random_update(model))
    kept = np.concatenate([np.arange(12), 12 + np.arange(5), 24 + np.arange(12)])
    p = g[kept] * u
    assert found.N == 29
    assert found.C_g == pytest.approx(float(p.sum(0).abs().sum() / p.abs().sum()), rel=1e-9)
    assert np.isnan(found.changes).sum() == 7
    np.testing.assert_allclose(found.changes[~np.isnan(found.changes)], p.sum(1), atol=1e-6 * float(p.sum(1).max()))


def test_batches_are_strata_of_one_sample(monkeypatch):
    model = moved_model("llama", num_hidden_layers=1)
    tokens = torch.randint(0, VOCABULARY, (24, 33), generator=torch.Generator().manual_seed(5))
    found = [
        zerosum.gradient_interference(model, tokens, random_update(model), method=m, n_sampled=96, tokens_per_batch=256)
        for m in ("exact", "sampled")
    ]
    assert found[1].n_sampled == 96
    assert found[1].intervals["C_g"][0] < found[0].C_g < found[1].intervals["C_g"][1]


def test_gradient_checkpointing_changes_nothing(tokens):
    model = moved_model("llama")
    expected = zerosum.gradient_interference(model, tokens, random_update(model))
    model.gradient_checkpointing_enable()
    found = zerosum.gradient_interference(model.train(), tokens, random_update(model))
    for name in ("D_grad", "C_g", "C_ug", "C_uG", "D_first_order"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-6), name


def test_products_are_in_full_precision_whatever_was_asked_for_outside(tokens, monkeypatch):
    seen, real = [], _passes.changes_of
    monkeypatch.setattr(_passes, "changes_of", lambda *a: seen.append(torch.get_float32_matmul_precision()) or real(*a))
    torch.set_float32_matmul_precision("high")
    try:
        zerosum.gradient_interference(moved_model("llama"), tokens, random_update(moved_model("llama")))
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")
    assert seen == ["highest"]


def test_the_model_is_left_as_it_was(tokens):
    model = moved_model("llama", attention_dropout=0.5).train()
    model.model.layers[0].eval()
    model.model.norm.weight.requires_grad = False
    update = {name: 0.1 * value for name, value in random_update(model).items()}
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    one, other = (zerosum.gradient_interference(model, tokens, update) for _ in range(2))
    assert one.to_json() == other.to_json() | {"estimated_seconds": one.seconds}
    assert "model.norm.weight" not in [p.name for p in one.parameters]
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert not model.model.norm.weight.requires_grad


def test_an_operation_without_forward_mode_goes_by_backward_passes(tokens, monkeypatch):
    model = moved_model("llama")
    update = random_update(model)
    expected = zerosum.first_order_changes(model, tokens, update)

    def refused(*arguments):
        raise NotImplementedError("Trying to use forward AD with an operation that does not support it")

    monkeypatch.setattr(_passes, "first_order", refused)
    found = zerosum.gradient_interference(model, tokens, update)
    assert "backward passes" in found.notes[-1]
    assert verify(model, tokens, update, found, K=3).first_order < 1e-6
    np.testing.assert_allclose(found.changes, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("method", ["exact", "sampled"])
def test_batches_are_halved_where_memory_runs_out(method, monkeypatch):
    model = moved_model("llama", num_hidden_layers=1)
    tokens = torch.randint(0, VOCABULARY, (12, 33), generator=torch.Generator().manual_seed(5))
    whole = zerosum.gradient_interference(model, tokens, random_update(model), method=method, n_sampled=192)
    tried = []

    def short_of_memory(real):
        def measure(model, tokens, *arguments, **options):
            tried.append(len(tokens))
            if len(tokens) > 3:
                raise torch.OutOfMemoryError("out of memory")
            return real(model, tokens, *arguments, **options)

        return measure

    monkeypatch.setitem(_passes.SUMS, "exact", short_of_memory(_passes.SUMS["exact"]))
    monkeypatch.setattr(_passes, "sampled_mass", short_of_memory(_passes.sampled_mass))
    halved = zerosum.gradient_interference(model, tokens, random_update(model), method=method, n_sampled=192)
    assert tried == [12, 6, 3, 3, 6, 3, 3]
    assert halved.n_sampled == whole.n_sampled
    if method == "exact":
        assert halved.C_g == pytest.approx(whole.C_g, rel=1e-12)
        assert halved.D_grad == pytest.approx(whole.D_grad, rel=1e-12)
    else:
        assert abs(halved.D_grad / whole.D_grad - 1) < 0.02
        assert halved.n_sampled == 192


@pytest.mark.parametrize("method", ["exact", "general", "oracle"])
def test_a_module_used_twice_is_left_as_it_was_and_measured_rightly(method, tokens):
    model = moved_model("llama", tied=False)
    model.model.layers[1].mlp = model.model.layers[0].mlp
    update = random_update(model)
    g, u, _ = written_out(model, tokens, update)
    kept = dict(model.named_parameters(remove_duplicate=False))
    found = zerosum.gradient_interference(model, tokens, update, method=method)
    p = g * u
    assert found.C_g == pytest.approx(float(p.sum(0).abs().sum() / p.abs().sum()), rel=1e-9)
    np.testing.assert_allclose(found.changes.ravel(), p.sum(1), rtol=0, atol=1e-6 * float(p.sum(1).abs().max()))
    assert all(one is kept[name] for name, one in model.named_parameters(remove_duplicate=False))
