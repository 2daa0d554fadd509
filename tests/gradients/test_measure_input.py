"""Models, updates and tokens that cannot be measured are one line."""

import numpy as np
import pytest
import torch
from test_first_order import random_update
from tiny import VOCABULARY, moved_model, tiny_model

import zerosum
from zerosum.errors import InputError
from zerosum.gradients import batches
from zerosum.gradients._update import update_between


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda u: u | {"nothing.weight": u["lm_head.weight"]}, "no trainable parameter"),
        (lambda u: u | {"lm_head.weight": u["lm_head.weight"].T}, "shape"),
        (lambda u: u | {"lm_head.weight": u["lm_head.weight"] * float("nan")}, "not finite"),
    ],
)
def test_updates_that_do_not_fit_are_one_line(change, words, tokens):
    model = moved_model("llama", tied=False)
    with pytest.raises(InputError, match=words):
        zerosum.gradient_interference(model, tokens, change(random_update(model)))


def test_two_updates_of_a_tied_matrix_must_agree(tokens):
    model = moved_model("llama")
    update = random_update(model)
    both = update | {"lm_head.weight": update["model.embed_tokens.weight"].clone()}
    assert np.array_equal(
        zerosum.first_order_changes(model, tokens, both), zerosum.first_order_changes(model, tokens, update)
    )
    with pytest.raises(InputError, match="differs"):
        zerosum.first_order_changes(model, tokens, both | {"lm_head.weight": 2 * both["lm_head.weight"]})


@pytest.mark.parametrize(
    ("update", "words"),
    [({"lm_head.weight": "x"}, "'lm_head.weight': a str"), ({"lm_head.weight": [[1, "a"]]}, "a list"), ({}, None)],
)
def test_updates_of_the_wrong_kind_are_one_line(update, words, tokens):
    if words is None:
        assert zerosum.first_order_changes(moved_model("llama"), tokens, update).any() == np.False_
        return
    with pytest.raises(InputError, match=words):
        zerosum.gradient_interference(moved_model("llama", tied=False), tokens, update)


def test_units_of_different_lengths_are_one_line(tokens):
    with pytest.raises(InputError, match="unit: shape"):
        zerosum.gradient_interference(moved_model("llama"), tokens, unit=[[1], [1, 2], [3]])


def test_what_cannot_be_measured_is_one_line(tokens):
    model = moved_model("llama")
    with pytest.raises(InputError, match="vocabulary"):
        zerosum.gradient_interference(model, tokens + VOCABULARY)
    with pytest.raises(InputError, match="unknown"):
        zerosum.gradient_interference(model, tokens, method="best")
    with pytest.raises(InputError, match="integers"):
        zerosum.gradient_interference(model, tokens.float())
    with pytest.raises(InputError, match="nothing but padding"):
        zerosum.gradient_interference(model, -np.ones((2, 5), dtype=np.int64))
    with pytest.raises(InputError, match="too few"):
        zerosum.gradient_interference(model, tokens, method="sampled", n_sampled=3)
    with pytest.raises(InputError, match="bfloat16"):
        zerosum.gradient_interference(moved_model("llama").bfloat16(), tokens)
    with pytest.raises(InputError, match="seed -1"):
        zerosum.gradient_interference(model, tokens, seed=-1)
    with pytest.raises(InputError, match=r"unit: shape \(2,\)"):
        zerosum.gradient_interference(model, tokens, unit=[0, 1])
    with pytest.raises(InputError, match="update: none"):
        zerosum.first_order_changes(model, tokens, None)
    with pytest.raises(InputError, match="lost in float32"):
        zerosum.gradient_interference(model, tokens, {"lm_head.weight": 1e-40 * torch.ones(VOCABULARY, 16)})
    with pytest.raises(InputError, match="encoder"):
        zerosum.gradient_interference(tiny_model("t5", d_kv=4, d_ff=8), tokens)
    with pytest.raises(InputError, match="not a module"):
        zerosum.gradient_interference(lambda ids: ids, tokens)
    with pytest.raises(InputError, match="shapes"):
        update_between(model, moved_model("llama", intermediate_size=32))
    with pytest.raises(InputError, match="only one of them"):
        update_between(model, moved_model("llama", num_hidden_layers=1))
    model.lm_head.weight.data[0, 0] = float("inf")
    with pytest.raises(InputError, match="not finite"):
        zerosum.gradient_interference(model, tokens)
    for parameter in model.parameters():
        parameter.requires_grad = False
    with pytest.raises(InputError, match="frozen"):
        zerosum.gradient_interference(model, tokens)


def test_too_little_memory_is_one_line(tokens, monkeypatch):
    monkeypatch.setattr(batches, "free_memory", lambda device: 1_000)
    with pytest.raises(InputError, match="not enough memory"):
        zerosum.gradient_interference(moved_model("llama"), tokens)
