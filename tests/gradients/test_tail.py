"""Where a model can be cut behind its last attention, and that the cut changes no sum."""

import pytest
import torch
from test_exact import FAMILIES, assert_same_sums
from test_first_order import random_update
from test_per_token import assert_same_numbers
from tiny import VOCABULARY, moved_model
from torch import nn

from zerosum.gradients._exact import Layout, exact_sums, layout_of
from zerosum.gradients._oracle import oracle_sums
from zerosum.gradients.layerwise._tail import find_tail

PROJECTIONS = {"gpt2": "transformer.h.1.attn.c_proj", "gpt_neox": "gpt_neox.layers.1.attention.dense"}


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_cut_behind_its_last_attention(family, attention, tokens):
    model = moved_model(family, attention=attention)
    tail = layout_of(model, tokens).tail
    assert tail.projection is model.get_submodule(PROJECTIONS.get(family, "model.layers.1.self_attn.o_proj"))


@pytest.mark.parametrize("family", FAMILIES)
def test_sums_and_numbers_are_those_of_passes_through_the_whole_model(family, tokens):
    model = moved_model(family)
    update, layout = random_update(model), layout_of(model, tokens)
    found, plain = (
        exact_sums(model, tokens, update, per_token=True, layout=one) for one in (layout, Layout(layout.head))
    )
    assert_same_sums(found, plain)
    assert_same_numbers(found.tokens, plain.tokens)


class Block(nn.Module):
    """Sums over positions where an attention would be, between two linear layers, and a layer behind it."""

    def __init__(self, mixes_behind=False):
        super().__init__()
        self.inner, self.projection, self.behind = (nn.Linear(8, 8) for _ in range(3))
        self.mixes_behind = mixes_behind

    def forward(self, x):
        x = x + self.projection(torch.tanh(self.inner(x)).cumsum(1))
        x = x + self.behind(torch.tanh(x))
        return x.cumsum(1) if self.mixes_behind else x


class Body(nn.Module):
    def __init__(self, *, shared=False, skips=False, **how):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 8)
        self.blocks = nn.ModuleList([Block(), Block(**how)])
        self.skips = skips
        if shared:
            self.blocks[1].behind = self.blocks[0].behind

    def forward(self, ids):
        x = first = self.embedding(ids)
        for block in self.blocks:
            x = block(x)
        return (x + first,) if self.skips else (x,)


class Model(nn.Module):
    def __init__(self, **how):
        super().__init__()
        self.base_model, self.head = Body(**how), nn.Linear(8, VOCABULARY)

    def get_input_embeddings(self):
        return self.base_model.embedding

    def get_output_embeddings(self):
        return self.head

    def forward(self, ids):
        return self.head(self.base_model(ids)[0])


def made(**how):
    torch.manual_seed(2)
    return Model(**how).double().eval()


def test_a_block_with_other_names_is_cut_too(tokens):
    model = made()
    layout = layout_of(model, tokens)
    assert layout.tail.projection is model.base_model.blocks[1].projection
    assert_same_sums(exact_sums(model, tokens, layout=layout), oracle_sums(model, tokens))


def test_nothing_is_cut_where_positions_mix_behind_the_projection(tokens):
    model = made(mixes_behind=True)
    assert find_tail(model.base_model, tokens) is None
    assert_same_sums(exact_sums(model, tokens), oracle_sums(model, tokens))


@pytest.mark.parametrize("how", [{"shared": True}, {"skips": True}])
def test_a_cut_that_gives_another_gradient_is_not_made(how, tokens):
    """A layer behind the cut that is used in front of it, too, and a path around the cut."""
    model = made(**how)
    assert find_tail(model.base_model, tokens) is not None
    assert layout_of(model, tokens).tail is None
    assert_same_sums(exact_sums(model, tokens), oracle_sums(model, tokens))


def test_nothing_is_cut_off_frozen_layers(tokens):
    model = moved_model("llama")
    for name, parameter in model.named_parameters():
        parameter.requires_grad = "norm.weight" in name and "layers" not in name
    assert layout_of(model, tokens).tail is None
    assert_same_sums(exact_sums(model, tokens), oracle_sums(model, tokens))
