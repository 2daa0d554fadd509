"""Embeddings, heads, frozen parameters and wrappers are found for what they are."""

import numpy as np
import pytest
import torch
from small_families import small_model
from test_first_order import random_update
from test_odd_models import Model
from tiny import VOCABULARY, moved_model
from torch import nn
from torch.nn import functional

import zerosum
from zerosum.errors import InputError


def test_a_padding_id_that_is_head_without_a_layer(tokens):
    """Backward mode knows no gradient of the row as input, forward mode must know the one as output."""

    class Raw(Model):
        def forward(self, ids):
            return self.odd(self.embedding(ids).cumsum(1)) @ self.embedding.weight.T

    model = Raw(nn.Linear(8, 8)).double()
    model.embedding.padding_idx = 0
    update = {name: torch.randn_like(one) for name, one in model.named_parameters()}
    found = zerosum.gradient_interference(model, tokens, update)
    changes = [
        sum(float((g * update[name]).sum()) for name, g in zip(update, gradients, strict=True))
        for gradients in each_gradient(model, tokens)
    ]
    np.testing.assert_allclose(found.changes.ravel(), changes, rtol=1e-6)


def each_gradient(model, tokens):
    for row in tokens:
        for t in range(len(row) - 1):
            loss = functional.cross_entropy(model(row[None, :-1])[0, t], row[t + 1])
            gradients = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
            yield [torch.zeros_like(p) if g is None else g for p, g in zip(model.parameters(), gradients, strict=True)]


def test_a_model_inside_another_has_its_embedding_and_head(tokens):
    class Around(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, ids):
            return self.inner(ids)

    model = moved_model("llama")
    expected, found = (zerosum.gradient_interference(one, tokens) for one in (model, Around(model)))
    assert found.D_grad == pytest.approx(expected.D_grad, abs=1e-9)
    assert not any("names neither" in note for note in found.notes)
    plain = nn.Sequential(nn.Embedding(VOCABULARY, 4), nn.Linear(4, VOCABULARY))
    assert any("names neither" in note for note in zerosum.gradient_interference(plain, tokens).notes)


def test_the_bias_of_a_head_is_head(tokens):
    model = Model(nn.Linear(8, 8))
    kinds = {one.name: one.kind for one in zerosum.gradient_interference(model, tokens).parameters}
    assert kinds["head.bias"] == kinds["head.weight"] == "head"
    assert kinds["before.bias"] == "bias"


def test_gradients_that_parameters_hold_stay(tokens):
    class Past(Model):
        def forward(self, ids):
            x = self.embedding(ids).cumsum(1)
            return self.head(x + functional.linear(self.before(x), self.before.weight))

    model = Past(nn.Identity())
    model.head.weight.grad = held = torch.ones_like(model.head.weight)
    zerosum.gradient_interference(model, tokens, method="auto")
    assert model.head.weight.grad is held
    assert bool((held == 1).all())
    assert all(one.grad is None for name, one in model.named_parameters() if name != "head.weight")


def test_what_is_frozen_is_said(tokens):
    model, after = moved_model("llama"), moved_model("llama")
    model.model.norm.weight.requires_grad_(False)
    for one in after.parameters():
        one.data += 0.01
    notes = zerosum.gradient_interference(model, tokens, after).notes
    assert "frozen parameters left out: 1" in notes
    assert any(note.startswith("of these, 1 differ") for note in notes)


@pytest.mark.parametrize("family", ["gemma", "opt", "xglm"])
def test_embeddings_that_scale_or_shift_are_known_by_what_they_call(family, tokens):
    """The padding id among them. `make check-long` measures every family."""
    model = small_model(family)
    kinds = [type(one) for one in model.modules()]
    update = random_update(model)
    found, expected = (zerosum.gradient_interference(model, tokens, update, method=m) for m in ("auto", "oracle"))
    assert found.method == "exact"
    for which in ("D_grad", "C_g", "C_ug", "C_uG"):
        assert getattr(found, which) == pytest.approx(getattr(expected, which), rel=1e-5), which
    for which in ("norm_l1", "norm_l2", "moved"):
        np.testing.assert_allclose(found.per_token[which], expected.per_token[which], rtol=1e-5)
    assert [type(one) for one in model.modules()] == kinds


def test_a_kind_of_linear_with_more_than_its_own_goes_the_general_path(tokens):
    class Adapted(nn.Linear):
        def __init__(self):
            super().__init__(8, 8)
            self.down, self.up = nn.Parameter(torch.randn(2, 8)), nn.Parameter(torch.randn(8, 2))

        def forward(self, x):
            return super().forward(x) + x @ self.down.T @ self.up.T

    model = Model(Adapted())
    found, expected = (zerosum.gradient_interference(model, tokens, method=method) for method in ("auto", "oracle"))
    assert found.method == "general"
    assert found.D_grad == pytest.approx(expected.D_grad, abs=1e-6)


def test_a_wrapper_whose_base_gives_logits(tokens):
    """As adapters make them."""

    class Wrapped(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.base_model = inner

        def get_input_embeddings(self):
            return self.base_model.get_input_embeddings()

        def get_output_embeddings(self):
            return self.base_model.get_output_embeddings()

        def forward(self, ids, **options):
            return self.base_model(ids, **options)

    model = moved_model("llama")
    expected, found = (zerosum.gradient_interference(one, tokens) for one in (model, Wrapped(model)))
    assert found.method == "exact"
    assert found.D_grad == pytest.approx(expected.D_grad, abs=1e-9)
    with pytest.raises(InputError, match="a Wrapped without a linear head separate"):
        zerosum.dissent.measure_dissent(Wrapped(model), tokens.numpy())
