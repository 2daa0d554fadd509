"""Exact sums against one backward pass for each token."""

import pytest
import torch
from tiny import moved_model
from torch import nn
from torch.nn import functional

from zerosum.gradients._exact import exact_sums, separate_head
from zerosum.gradients._general import general_sums
from zerosum.gradients._oracle import oracle_sums
from zerosum.gradients.layerwise._pieces import Unsupported

FAMILIES = ("llama", "olmo2", "qwen3", "gpt2", "gpt_neox")


def assert_same_sums(found, expected, within=1e-9):
    assert found.n_tokens == expected.n_tokens
    for name, of_oracle in expected.mass.items():
        scale = float(of_oracle.max())
        assert float((found.mass[name] - of_oracle).abs().max()) <= within * scale, name
        assert float((found.net[name] - expected.net[name]).abs().max()) <= within * scale, name


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_the_oracles_sums(family, tied, attention, tokens):
    model = moved_model(family, tied=tied, attention=attention)
    assert separate_head(model, tokens) is not None
    within = 1e-6 if attention == "eager" else 1e-9  # transformers' eager attention has its softmax in float32
    assert_same_sums(exact_sums(model, tokens, block=5), oracle_sums(model, tokens), within)


@pytest.mark.parametrize("block", [1, 4, 100])
def test_the_block_of_positions_changes_nothing(block, tokens):
    model = moved_model("llama")
    assert_same_sums(exact_sums(model, tokens, block=block), exact_sums(model, tokens, block=5), within=1e-14)


def test_sums_of_parts_merge_to_the_whole(tokens):
    model = moved_model("llama")
    found = exact_sums(model, tokens[:1])
    found.add(exact_sums(model, tokens[1:]))
    assert_same_sums(found, exact_sums(model, tokens), within=1e-14)
    assert found.n_tokens == 36


def test_a_padding_id_in_the_data(tokens):
    model = moved_model("llama", pad_token_id=0, tied=False)
    assert model.get_input_embeddings().padding_idx == 0
    assert (tokens == 0).any()
    expected = oracle_sums(model, tokens)
    assert float(expected.mass["model.embed_tokens.weight"][0].max()) == 0
    assert_same_sums(exact_sums(model, tokens), expected)


def test_frozen_parameters_are_left_out(tokens):
    model = moved_model("qwen3")
    for name, parameter in model.named_parameters():
        parameter.requires_grad = "layers.1" in name
    found = exact_sums(model, tokens)
    assert all("layers.1" in name for name in found.mass)
    assert_same_sums(found, oracle_sums(model, tokens))


class Odd(nn.Module):
    """A language model with one weight used twice, and a head that is not all there is after the body."""

    def __init__(self, *, past_its_layer=False, own_parameter=False, sees_ahead=False):
        super().__init__()
        self.embedding, self.twice, self.head = nn.Embedding(40, 8), nn.Linear(8, 8), nn.Linear(8, 40)
        self.past_its_layer, self.sees_ahead = past_its_layer, sees_ahead
        self.scale = nn.Parameter(torch.tensor(1.5)) if own_parameter else 1.5

    def forward(self, ids):
        x = self.embedding(ids).cumsum(1)
        if self.sees_ahead:
            x = x + x.sum(1, keepdim=True)
        x = self.twice(torch.tanh(self.twice(x))) + x
        if self.past_its_layer:
            x = x + functional.linear(x, self.twice.weight)
        return torch.tanh(self.head(x)) * self.scale


def odd(**how):
    torch.manual_seed(1)
    return Odd(**how).double().eval()


def test_a_layer_used_twice_and_logits_that_are_changed_after_the_head(tokens):
    model = odd()
    assert separate_head(model, tokens) is None
    assert_same_sums(exact_sums(model, tokens), oracle_sums(model, tokens))


def test_a_small_logit_that_is_not_the_heads_is_seen_beside_large_ones(tokens):
    model = moved_model("llama", tied=False)
    model.get_output_embeddings().weight.data *= 1000
    assert separate_head(model, tokens) is not None
    last = tokens.shape[1] - 2

    def shift(module, arguments, output):
        if output.logits.shape[1] > last:  # the last position alone
            logits = output.logits.clone()
            smallest = logits[0, last].abs().argmin()
            logits[0, last, smallest] += 1e-3
            output.logits = logits
        return output

    model.register_forward_hook(shift)
    with torch.no_grad():
        assert 1e-5 * float(model(tokens[:1, :-1]).logits.abs().max()) > 1e-3
    assert separate_head(model, tokens) is None


@pytest.mark.parametrize("how", [{"past_its_layer": True}, {"own_parameter": True}, {"sees_ahead": True}])
def test_what_the_layer_rules_do_not_see_is_refused_and_left_to_the_general_path(how, tokens):
    model = odd(**how)
    with pytest.raises(Unsupported):
        exact_sums(model, tokens)
    assert_same_sums(general_sums(model, tokens, chunk=5), oracle_sums(model, tokens))


def test_the_general_path_has_the_oracles_sums(tokens):
    model = moved_model("gpt2")
    assert_same_sums(general_sums(model, tokens, chunk=7), oracle_sums(model, tokens))


def test_the_model_is_left_as_it_was(tokens):
    model = moved_model("olmo2")
    before = model(tokens[:, :-1]).logits
    exact_sums(model, tokens)
    assert torch.equal(model(tokens[:, :-1]).logits, before)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any("forward" in module.__dict__ for module in model.modules())
