"""Norms of several spellings: the closed form of their backward pass, and what is not of that form."""

import pytest
import torch
from test_exact import FAMILIES, assert_same_sums
from tiny import VOCABULARY, moved_model
from torch import nn

from zerosum.gradients._exact import exact_sums
from zerosum.gradients._oracle import oracle_sums
from zerosum.gradients.layerwise import _norms
from zerosum.gradients.layerwise._recorder import Recorder


class OneAndMore(nn.Module):
    """y = n(x) (1 + w), as some families write their RMSNorm."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(0.1 * torch.randn(width))

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-3) * (1 + self.weight)


class Squashed(nn.Module):
    """Not a norm, but its parameters stand in the same places: y = tanh(x) w."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width))

    def forward(self, x):
        return torch.tanh(x) * self.weight


KINDS = {
    "layer": lambda: nn.LayerNorm(8, eps=1e-2),
    "layer without bias": lambda: nn.LayerNorm(8, bias=False),
    "rms": lambda: nn.RMSNorm(8, eps=1e-2),
    "one and more": lambda: OneAndMore(8),
    "squashed": lambda: Squashed(8),
}
CENTRED = {"layer": True, "layer without bias": True, "rms": False, "one and more": False, "squashed": None}


class Normed(nn.Module):
    def __init__(self, norm):
        super().__init__()
        self.embedding, self.norm, self.head = nn.Embedding(VOCABULARY, 8), norm, nn.Linear(8, VOCABULARY)

    def forward(self, ids):
        return self.head(torch.tanh(self.norm(self.embedding(ids).cumsum(1))))


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def model(kind):
    torch.manual_seed(3)
    made = Normed(KINDS[kind]()).double().eval()
    for parameter in made.norm.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    return made


def used_forms(monkeypatch):
    used = []
    for form in ("_Norm", "_Scale"):
        function = getattr(_norms, form)
        monkeypatch.setattr(function, "apply", lambda *a, f=function.apply, n=form: used.append(n) or f(*a))
    return used


def test_every_spelling_has_the_oracles_sums(model, kind, tokens, monkeypatch):
    used = used_forms(monkeypatch)
    assert_same_sums(exact_sums(model, tokens), oracle_sums(model, tokens))
    assert set(used) == {"_Scale" if CENTRED[kind] is None else "_Norm"}


def test_a_row_of_zeros_does_not_show_its_scale_and_goes_another_way(tokens):
    torch.manual_seed(3)
    model = Normed(nn.RMSNorm(8, eps=1e-2)).double().eval()
    model.embedding.weight.data[tokens[0, 0]] = 0
    assert_same_sums(exact_sums(model, tokens), oracle_sums(model, tokens))


def test_one_backward_pass_is_that_of_the_module(model, kind):
    recorder = Recorder([], 2)
    forward = _norms.norm_forward(model.norm, recorder)
    x = torch.randn(2, 5, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(4)).requires_grad_()
    g = torch.randn(2, 5, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    assert torch.allclose(forward(x), model.norm(x), rtol=1e-12)
    (found,), (expected,) = torch.autograd.grad(forward(x), x, g), torch.autograd.grad(model.norm(x), x, g)
    assert torch.allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
def test_norms_of_every_family_are_of_the_closed_form_in_float32(family, tokens, monkeypatch):
    model = moved_model(family, tied=False)
    expected = oracle_sums(model, tokens)
    used = used_forms(monkeypatch)
    assert_same_sums(exact_sums(model.float(), tokens), expected, within=1e-5)
    assert set(used) == {"_Norm"}
