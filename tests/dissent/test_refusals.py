"""Models, tokens and options that dissent cannot be measured with: one line each."""

import math

import numpy as np
import pytest
import torch
from tiny import VOCABULARY, moved_model, tiny_model
from written_out import Apart, capped

from zerosum.dissent import measure_dissent as dissent
from zerosum.errors import InputError


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda: Apart(capped), "comes after the head"),
        (lambda: Apart(lambda logits: -logits), "comes after the head"),
        (lambda: Apart(lambda logits: logits[..., :7] + logits[..., :1] * 0.1), "comes after the head"),
        (lambda: torch.nn.Sequential(torch.nn.Embedding(7, 3), torch.nn.Linear(3, 7)), "without a linear head"),
        (lambda: moved_model("llama").bfloat16(), "bfloat16"),
    ],
)
def test_models_that_dissent_is_not_defined_for(model, words):
    with pytest.raises(InputError, match=words) as refused:
        dissent(model(), np.arange(12).reshape(2, 6) % 7)
    assert len(str(refused.value).splitlines()) == 1


def test_a_cap_that_the_config_names_is_refused():
    """Small logits hardly meet it, but those of a trained model do."""
    model = tiny_model("gemma2", vocab_size=9, num_key_value_heads=1, head_dim=8)
    with pytest.raises(InputError, match="final_logit_softcapping 30"):
        dissent(model, np.arange(8).reshape(2, 4))


def test_a_head_that_is_linear_only_at_first_is_refused():
    """Its cap is met by a later token alone."""
    model = Apart(lambda logits: logits.clamp(max=50.0))
    model.body.weight.data[6] = 100 * model.head.weight.data[2]
    tokens = np.array([[0, 1, 2, 3, 4, 5, 0, 1] * 4, [0, 1, 2, 3, 4, 5, 6, 1] * 4])
    with pytest.raises(InputError, match="not linear"):
        dissent(model, tokens)


def test_what_cannot_be_measured(tokens):
    model = moved_model("llama")
    for ids, words in ((np.full((2, 5), VOCABULARY), "vocabulary"), (np.full((2, 5), -1), "padding")):
        with pytest.raises(InputError, match=words):
            dissent(model, ids)
    model.lm_head.weight.data[3] = math.nan
    with pytest.raises(InputError, match="not finite"):
        dissent(model, tokens.numpy())


@pytest.mark.parametrize(
    ("more", "words"),
    [({"unit": np.arange(5)}, "unit: shape"), ({"unit": np.zeros((3, 13))}, "unit: shape"), ({"seed": -1}, "seed -1")],
)
def test_units_and_seeds_that_cannot_be(more, words, tokens):
    with pytest.raises(InputError, match=words):
        dissent(moved_model("llama"), tokens.numpy(), **more)
