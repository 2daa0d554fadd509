import json
from pathlib import Path

import numpy as np
import pytest
import torch

from zerosum.checkpoints import load_model, open_run
from zerosum.losses import token_losses
from zerosum.training import SavedSteps, batch, one_step_losses, train
from zerosum.training.recipe import Recipe
from zerosum.training.replay import one_step
from zerosum.training.state import restore


def test_losses_around_the_step_are_those_of_the_run(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, tmp_path)
    before, after = (checkpoint for checkpoint in open_run(tmp_path).checkpoints if checkpoint.step in (1, 2))
    files = {path.name: path.read_bytes() for path in before.path.iterdir()}
    held_out = recipe.data.open().held_out(6, 8).ids
    generator = torch.get_rng_state()

    measured = one_step_losses(recipe, before, held_out)

    tokens = batch(recipe, 1).ids
    np.testing.assert_array_equal(measured.batch_before, token_losses(load_model(before), tokens))
    np.testing.assert_array_equal(measured.batch_after, token_losses(load_model(after), tokens))
    np.testing.assert_array_equal(measured.held_out_after, token_losses(load_model(after), held_out))
    row = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[1])
    assert measured.batch_before.mean() == pytest.approx(row["loss"], abs=1e-5)
    assert measured.batch_after.mean() < measured.batch_before.mean()
    assert torch.equal(torch.get_rng_state(), generator)
    assert {path.name: path.read_bytes() for path in before.path.iterdir()} == files


def test_the_step_after_the_last_checkpoint_is_the_one_a_longer_run_takes(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, tmp_path / "short")
    train(recipe.model_copy(update={"steps": 13}), tmp_path / "longer")
    last = open_run(tmp_path / "short").checkpoints[-1]
    next_one = open_run(tmp_path / "longer").checkpoints[-1]
    held_out = recipe.data.open().held_out(6, 8).ids
    after = one_step_losses(recipe, last, held_out).held_out_after
    np.testing.assert_array_equal(after, token_losses(load_model(next_one), held_out))


def test_each_checkpoint_is_read_once_and_its_model_is_put_back(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    monkeypatch.setattr(one_step, "restore", lambda path, recipe: read.append(path) or restore(path, recipe))
    train(recipe, tmp_path)
    held_out = recipe.data.open().held_out(6, 8).ids
    steps = SavedSteps(recipe)
    checkpoints = open_run(tmp_path).checkpoints[:3]
    for checkpoint in checkpoints:
        model = steps.load(checkpoint)
        own = token_losses(model, held_out)
        np.testing.assert_array_equal(own, token_losses(load_model(checkpoint), held_out))
        around = steps.losses(checkpoint, held_out)
        np.testing.assert_array_equal(own, token_losses(model, held_out))
        alone = one_step_losses(recipe, checkpoint, held_out)
        np.testing.assert_array_equal(around.held_out_after, alone.held_out_after)
        read.pop()  # by the call above
    assert read == [checkpoint.path for checkpoint in checkpoints]
