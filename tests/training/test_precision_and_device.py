"""A process trains in one precision after another, and measurements of a model that trains in bfloat16 are float32."""

import numpy as np
import pytest
import torch

from zerosum.errors import InputError
from zerosum.losses import token_losses
from zerosum.training import batch, optimizer_step, restore, state, train
from zerosum.training.acceleration import new_accelerator_on
from zerosum.training.state import new_state


def test_a_process_changes_device_and_precision():
    for device, precision in [("cpu", "no"), ("cpu", "bf16"), ("auto", "bf16"), ("auto", "no"), ("cpu", "no")]:
        accelerator = new_accelerator_on(device, precision)
        assert accelerator.mixed_precision == precision
        assert (accelerator.device.type == "cpu") == (device == "cpu" or not torch.accelerator.is_available())


def test_training_in_bfloat16_is_measured_in_float32(recipe):
    narrow = recipe.model_copy(update={"mixed_precision": "bf16"})
    states = {chosen: new_state(chosen) for chosen in (recipe, narrow)}
    tokens = batch(recipe, 0)
    before = [token_losses(made.plain_model, tokens.ids) for made in states.values()]
    np.testing.assert_array_equal(*before)
    in_float32, in_bfloat16 = (optimizer_step(made, tokens).loss for made in states.values())
    assert in_float32 == pytest.approx(before[0].mean(), rel=1e-6)
    assert 1e-7 < abs(in_bfloat16 / in_float32 - 1) < 1e-2


def test_a_run_in_bfloat16_continues_exactly(recipe, tmp_path):
    narrow = recipe.model_copy(update={"mixed_precision": "bf16", "steps": 4})
    train(narrow, tmp_path / "run")
    resumed = restore(tmp_path / "run" / "checkpoint-2", narrow)
    for step in (2, 3):
        optimizer_step(resumed, batch(narrow, step))
    whole = restore(tmp_path / "run" / "checkpoint-4", narrow)
    for mine, theirs in zip(resumed.plain_model.parameters(), whole.plain_model.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_a_full_device_is_not_taken_for_a_damaged_run(recipe, tmp_path, monkeypatch):
    train(recipe.model_copy(update={"steps": 1}), tmp_path)

    def full(*given, **named):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(state, "prepared", full)
    with pytest.raises(torch.OutOfMemoryError):
        restore(tmp_path / "checkpoint-1", recipe)
    monkeypatch.undo()
    (tmp_path / "checkpoint-1" / "training_state.pt").write_bytes(b"")
    with pytest.raises(InputError, match="damaged"):
        restore(tmp_path / "checkpoint-1", recipe)
