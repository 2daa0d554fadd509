"""Muon's matrices in models of transformers: which they are, and where a fused one is cut.

Where queries, keys and values are is checked on the model: the attention of a layer does not change when what is taken
for the values changes, and neither when queries grow as much as keys shrink.
"""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from zerosum.errors import InputError
from zerosum.training import build_optimizer
from zerosum.training.closed_form import Problem
from zerosum.training.matrices import Layout, embeddings_and_head, linear_maps
from zerosum.training.model_recipe import ModelRecipe
from zerosum.training.models import build_model
from zerosum.training.recipe import Recipe
from zerosum.training.replay.saved_states import SavedState, bind

HEADS = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 20}
FAMILIES = {
    "gpt2": {"n_embd": 16, "n_layer": 1, "n_head": 4},
    "gpt_neox": {**HEADS, "attention_bias": False},
    "bloom": {"hidden_size": 16, "n_layer": 1, "n_head": 4},
    "mpt": {"d_model": 16, "n_layers": 1, "n_heads": 4},
    "phi3": {**HEADS, "num_key_value_heads": 2, "pad_token_id": 0},
    "persimmon": {**HEADS, "qk_layernorm": False},
    "gpt_bigcode": {"n_embd": 16, "n_layer": 1, "n_head": 4, "multi_query": True},
}


def tiny(family: str, **settings: object) -> nn.Module:
    torch.manual_seed(0)
    recipe = Recipe(name="a", steps=1, model=ModelRecipe(family=family, vocab_size=300, **settings))
    return build_model(recipe).eval()


def fused_names(model: nn.Module, parts: int) -> list[tuple[str, Layout]]:
    maps = linear_maps(model)
    names = {parameter: name for name, parameter in model.named_parameters()}
    return [(names[parameter], layout) for parameter, layout in maps.items() if len(layout.parts) == parts]


def rows(layout: Layout, part: int) -> np.ndarray:
    """Outputs of a part of a fused map."""
    starts = np.concatenate([[0], np.cumsum(layout.parts)])
    inside = np.arange(starts[part], starts[part + 1])
    return (np.arange(layout.repeats)[:, None] * starts[-1] + inside).ravel()


@pytest.mark.parametrize("family", FAMILIES)
def test_queries_keys_and_values_are_where_the_model_has_them(family: str) -> None:
    model = tiny(family, **FAMILIES[family])
    model.set_attn_implementation("eager")
    [(name, layout)] = fused_names(model, 3)
    weight = dict(model.named_parameters())[name].data
    outputs = weight.T if layout.transposed else weight  # a view
    ids = torch.arange(8)[None]

    def attention() -> torch.Tensor:
        with torch.no_grad():
            return model(ids, output_attentions=True, use_cache=False).attentions[0]

    outputs[rows(layout, 0)] *= 20  # sharper, so that changes show
    before = attention()
    queries, keys, values = (torch.from_numpy(rows(layout, part)) for part in range(3))
    assert sorted(torch.cat([queries, keys, values]).tolist()) == list(range(len(outputs)))
    outputs[values] += 1
    assert torch.equal(attention(), before)
    outputs[queries] *= 4
    assert (attention() - before).abs().max() > 1e-4
    outputs[keys] /= 4
    torch.testing.assert_close(attention(), before, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("family", ["gpt2", "llama", "phi3"])
def test_all_linear_layers_but_the_head_are_maps(family: str) -> None:
    for tied in (True, False):
        model = tiny(family, tie_word_embeddings=tied, **FAMILIES.get(family, HEADS))
        maps, excluded = linear_maps(model), embeddings_and_head(model)
        matrices = {parameter for parameter in model.parameters() if parameter.ndim == 2}
        assert set(maps) | excluded == matrices
        assert not set(maps) & excluded
        ends = {model.get_input_embeddings().weight, model.get_output_embeddings().weight}
        positions = {model.transformer.wpe.weight} if family == "gpt2" else set()
        assert excluded == ends | positions
        for parameter, layout in maps.items():
            outputs = parameter.shape[1 if layout.transposed else 0]
            assert layout.transposed == (family == "gpt2")
            assert not layout.parts or layout.repeats * sum(layout.parts) == outputs
    halves = [layout for _, layout in fused_names(model, 2)]
    assert halves == ([Layout(False, (20, 20))] if family == "phi3" else [])


def test_an_unknown_order_is_one_line() -> None:
    class Other(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv = nn.Linear(4, 12)

    with pytest.raises(InputError, match=r"qkv of Other seems to hold queries") as error:
        linear_maps(nn.Sequential(Other()))
    assert "\n" not in str(error.value)


def _swap(content: dict[str, Any]) -> None:
    matrix, vector = (content["param_groups"][place]["params"][0] for place in (0, -1))
    states = content["state"]
    states[matrix], states[vector] = states[vector], states[matrix]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content: content["param_groups"][0].update(layout={"parts": (2, 3)}), "numbers that cannot be"),
        (lambda content: content["param_groups"][0].update(layout="whole"), "numbers that cannot be"),
        (lambda content: content["param_groups"][0].update(layout=None), "not known here"),
        (lambda content: content["param_groups"][0].update(lr_factor="1"), "numbers that cannot be"),
        (lambda content: content["param_groups"][0].update(scaling="none"), "numbers that cannot be"),
        (_swap, "not known here"),
    ],
)
def test_a_saved_state_of_muon_that_does_not_fit_is_one_line(damage: Callable[[Any], None], words: str) -> None:
    problem = Problem()
    optimizer = build_optimizer("muon", problem)
    for parameter in problem.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    groups = [[("p", parameter) for parameter in group["params"]] for group in optimizer.param_groups]
    content = copy.deepcopy(optimizer.state_dict())
    bind(SavedState(Path("a.pt"), content, groups, "none", optimizer="muon"), 0.1)
    damage(content)
    with pytest.raises(InputError, match=words) as error:
        bind(SavedState(Path("a.pt"), content, groups, "none", optimizer="muon"), 0.1)
    assert "\n" not in str(error.value)


def test_what_is_not_trained_is_left_out() -> None:
    model = tiny("llama", **HEADS)
    number = len(linear_maps(model))
    model.model.layers[0].self_attn.requires_grad_(False)
    assert len(linear_maps(model)) == number - 4
