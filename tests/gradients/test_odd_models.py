"""Models that use their layers in ways that nobody would guess: measured rightly or refused, never wrongly."""

import numpy as np
import pytest
import torch
from test_first_order import random_update
from tiny import VOCABULARY, moved_model
from torch import nn
from torch.nn import functional

import zerosum
import zerosum.dissent
from zerosum.errors import InputError
from zerosum.gradients import _measurement, _passes
from zerosum.gradients._spot import require_same_size
from zerosum.gradients._verify import verify


class Routed(nn.Module):
    """Each token goes to the expert that its signs choose; raw: weights of all but the first are used past it."""

    def __init__(self, raw=False):
        super().__init__()
        self.experts = nn.ModuleList([nn.Linear(8, 8, bias=False) for _ in range(3)])
        self.raw = raw

    def forward(self, x):
        rows, chosen = x.reshape(-1, 8), (x[..., 0] > 0).long() + (x[..., 1] > 0.5).long()
        out = torch.zeros_like(rows)
        for k, expert in enumerate(self.experts):
            which = (chosen == k).flatten()
            if which.any():
                past = self.raw and k > 0
                out[which] = functional.linear(rows[which], expert.weight) if past else expert(rows[which])
        return out.view_as(x)


class Reordered(nn.Module):
    """A layer on rows in another order: turned around in time, turned around in the batch, or sorted."""

    def __init__(self, how):
        super().__init__()
        self.layer, self.how = nn.Linear(8, 8), how

    def forward(self, x):
        if self.how in ("time", "batch"):
            axis = 1 if self.how == "time" else 0
            return self.layer(x.flip(axis)).flip(axis)
        rows = x.reshape(-1, 8)
        order = rows[:, 0].detach().argsort()
        return torch.zeros_like(rows).index_copy(0, order, self.layer(rows[order])).view_as(x)


class ByLength(nn.Module):
    """A layer whose scale depends on how long the text is, as some positions do beyond the length of training."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x):
        return self.layer(x) * (1.0 if x.shape[1] <= 5 else 1.2)


class Model(nn.Module):
    """Tokens see the sum of what was before them."""

    def __init__(self, odd, positions=False):
        super().__init__()
        self.embedding, self.before, self.odd = nn.Embedding(VOCABULARY, 8), nn.Linear(8, 8), odd
        self.place = nn.Embedding(16, 8) if positions else None
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, VOCABULARY)

    def get_input_embeddings(self):
        return self.embedding

    def get_output_embeddings(self):
        return self.head

    def forward(self, ids):
        x = self.embedding(ids)
        if self.place is not None:
            x = x + self.place(torch.arange(ids.shape[1]))
        x = x + torch.tanh(self.before(x)).cumsum(1) / 5
        return self.head(self.norm(x + self.odd(x)))


def own_gradients(model, tokens):
    """[N, coordinates] of every token, and which parameter each coordinate is in."""
    names, parameters = zip(*model.named_parameters(), strict=True)
    rows = []
    for row in tokens:
        for t in range(len(row) - 1):
            loss = functional.cross_entropy(model(row[None, :-1])[0, t], row[t + 1])
            gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
            pairs = zip(parameters, gradients, strict=True)
            rows.append(torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for p, g in pairs]))
    return torch.stack(rows), np.concatenate([[n] * p.numel() for n, p in zip(names, parameters, strict=True)])


ODD = {
    "routed": Routed,
    "routed-raw": lambda: Routed(raw=True),
    "time": lambda: Reordered("time"),
    "batch": lambda: Reordered("batch"),
    "sorted": lambda: Reordered("sorted"),
    "by-length": ByLength,
    "positions": lambda: nn.Linear(8, 8),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("shape", [(1, 6), (2, 5), pytest.param((3, 12), marks=pytest.mark.long)])
def test_numbers_are_right_or_there_are_none(name, shape):
    refused, why = 0, "Choose method general"
    for seed in range(6):
        torch.manual_seed(seed)
        model = Model(ODD[name](), positions=name == "positions").double()
        tokens = torch.randint(0, VOCABULARY, shape)
        g, owner = own_gradients(model, tokens)
        inner = torch.as_tensor([not one.startswith(("embedding", "head")) for one in owner])
        mass = g[:, inner].abs().sum(0)
        expected = float((1 - g[:, inner].sum(0).abs() / mass)[mass > 0].mean())
        try:
            found = zerosum.gradient_interference(model, tokens)
        except InputError as error:
            why, refused = str(error), refused + 1
            found = zerosum.gradient_interference(model, tokens, method="general")
        assert found.D_grad == pytest.approx(expected, abs=1e-9), found.notes
        np.testing.assert_allclose(found.per_token["norm_l1"].ravel(), g.abs().sum(1), rtol=1e-9)
    assert "Choose method general" in why
    assert refused <= 3


def test_positions_of_one_axis_are_no_reason_for_the_general_path():
    model, tokens = Model(nn.Linear(8, 8), positions=True), torch.randint(0, VOCABULARY, (3, 12))
    assert zerosum.gradient_interference(model, tokens).method == "exact"


def test_a_token_of_every_batch_is_measured_again(tokens):
    model = moved_model("llama")
    found = zerosum.gradient_interference(model, tokens, method="exact").per_token["norm_l1"]
    batch, rng = _measurement.Batch(np.arange(3), tokens), np.random.default_rng(0)
    require_same_size(model, batch, found, "float32", rng)
    with pytest.raises(InputError, match=r"sequence \d, position \d.*Choose method general"):
        require_same_size(model, batch, 1.01 * found, "float32", rng)


def test_an_embedding_that_is_given_a_shape_and_not_ids(tokens):
    """As ProphetNet makes its positions."""

    class OfShape(nn.Embedding):
        def forward(self, shape):
            return super().forward(torch.arange(shape[1])[None]), shape

    class Positions(nn.Module):
        def __init__(self):
            super().__init__()
            self.place = OfShape(16, 8, padding_idx=0)

        def forward(self, x):
            return self.place(x.shape[:2])[0] * x

    model = Model(Positions()).double()
    update = random_update(model)
    expected = zerosum.gradient_interference(model, tokens, update, method="oracle")
    measured = zerosum.gradient_interference(model, tokens, update)
    assert measured.D_grad == pytest.approx(expected.D_grad, abs=1e-9)
    own = expected.per_token["first_order"]
    np.testing.assert_allclose(measured.per_token["first_order"], own, atol=1e-6 * np.abs(own).max())


def test_a_model_without_a_backward_pass_is_one_line(tokens):
    class OnlyForward(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            raise AssertionError("only while training")

    class NoBackward(nn.Module):
        def forward(self, x):
            return OnlyForward.apply(x)

    model = Model(NoBackward())
    for measure in (zerosum.gradient_interference, zerosum.dissent.measure_dissent):
        with pytest.raises(InputError, match=r"no gradient in evaluation mode \(AssertionError: only while training\)"):
            measure(model, tokens.numpy())


@pytest.mark.parametrize("method", ["exact", "sampled", "general"])
def test_verify_sees_what_was_measured(method, tokens):
    model, update = moved_model("llama"), random_update(moved_model("llama"))
    found = zerosum.gradient_interference(model, tokens, update, method=method, n_sampled=18)
    right = vars(verify(model, tokens, update, found, K=5))
    assert right.pop("K") == 5
    assert max(right.values()) < 1e-5
    for name in right:
        wrong = 1.1 * found.per_token["first_order" if name == "first_order" else name]
        before, found.per_token[name] = found.per_token[name], wrong
        assert getattr(verify(model, tokens, update, found, K=5), name) == pytest.approx(0.1, rel=0.02), name
        found.per_token[name] = before


def test_where_forward_mode_gives_something_else_backward_passes_do(tokens, monkeypatch):
    model = moved_model("llama")
    update = random_update(model)
    expected, real = zerosum.first_order_changes(model, tokens, update), _passes.first_order
    monkeypatch.setattr(_passes, "first_order", lambda *arguments: 1.1 * real(*arguments))
    found = zerosum.gradient_interference(model, tokens, update)
    np.testing.assert_allclose(found.changes, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
    assert _passes.OTHERWISE in found.notes
