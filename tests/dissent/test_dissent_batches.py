"""Batches, precision, memory, and the state of the model change no number."""

import math

import numpy as np
import pytest
import torch
from tiny import MOVED_SIZES, VOCABULARY, move, moved_model, tiny_model
from written_out import read

from zerosum.dissent import NUMBERS as READ
from zerosum.dissent import _force_sums, _measurement
from zerosum.dissent import measure_dissent as dissent
from zerosum.dissent._force_sums import ForceSums
from zerosum.errors import InputError
from zerosum.gradients import batches


def test_batches_change_nothing(tokens, monkeypatch):
    model = moved_model("llama")
    padded = tokens.clone()
    padded[1, 9:] = -1
    whole = dissent(model, padded.numpy())
    monkeypatch.setattr(_force_sums, "LOGITS", 5 * VOCABULARY)
    split = dissent(model, padded.numpy(), tokens_per_batch=1)
    assert (whole.N, whole.n_sequences) == (32, 3)
    for name in READ:
        assert np.array_equal(np.isnan(whole.per_token[name]), padded[:, 1:] == -1)
        assert np.allclose(whole.per_token[name], split.per_token[name], rtol=1e-12, equal_nan=True)
    for one, other in zip((*whole.parameters, *whole.layers), (*split.parameters, *split.layers), strict=True):
        assert vars(one.forces) == pytest.approx(vars(other.forces), rel=1e-11), one.name
    assert vars(whole.head) == pytest.approx(vars(split.head), rel=1e-11)


def test_single_precision_changes_little(tokens):
    wide, narrow = (dissent(moved_model("gpt2").to(dtype), tokens.numpy()) for dtype in (torch.float64, torch.float32))
    for name in READ:
        assert np.allclose(narrow.per_token[name], wide.per_token[name], rtol=1e-4, atol=1e-6)
    assert read(narrow.head) == pytest.approx(read(wide.head), rel=1e-5)
    assert read(narrow.body) == pytest.approx(read(wide.body), rel=1e-5)


def test_a_batch_that_does_not_fit_is_halved(tokens, monkeypatch):
    model, sizes = moved_model("llama"), []
    real = _measurement.forces_of

    def small_machine(head, some, *more):
        sizes.append(len(some))
        if len(some) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return real(head, some, *more)

    expected = dissent(model, tokens.numpy())
    monkeypatch.setattr(_measurement, "forces_of", small_machine)
    seen = []
    found = dissent(model, tokens.numpy(), along=lambda words, done, of: seen.append((done, of)))
    assert sizes == [3, 1, 2, 1, 1]
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert vars(found.body) == pytest.approx(vars(expected.body), rel=1e-11)


def test_too_little_memory_is_said_before_anything_is_summed(tokens, monkeypatch):
    monkeypatch.setattr(batches, "free_memory", lambda device: 1_000)
    monkeypatch.setattr(ForceSums, "zeros", None)
    with pytest.raises(InputError, match="not enough memory"):
        dissent(moved_model("llama"), tokens.numpy())


def test_the_model_is_left_as_it_was(tokens):
    model = moved_model("gpt2", resid_pdrop=0.5).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first, second = (dissent(model, tokens.numpy()) for _ in range(2))
    assert first.body == second.body
    assert model.training
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(one.grad is None for one in model.parameters())


def test_texts_as_long_as_the_model_can_see(tokens):
    """The last label is no input."""
    model = moved_model("gpt2", n_positions=12)
    assert dissent(model, tokens.numpy()).N == 36


def test_forces_that_are_rounding_are_none(tokens):
    """A softmax ignores the bias of keys; what float32 makes of it points anywhere."""
    model = move(tiny_model("opt", **MOVED_SIZES, ffn_dim=24, word_embed_proj_dim=16))
    found = {one.name: one.forces for one in dissent(model, tokens.numpy()).parameters}
    expected = {one.name: one.forces for one in dissent(model.double(), tokens.numpy()).parameters}
    for name, forces in found.items():
        if name.endswith("k_proj.bias"):
            assert math.isnan(forces.dissent), name
            assert forces.numel == 16
        else:
            assert forces.dissent == pytest.approx(expected[name].dissent, abs=1e-4), name
