"""Runs with every optimizer: ended in the middle and started again; and the step that their saved state gives.

`tests/training/test_kill.py` kills processes, and `make check-long` does so for every optimizer.
"""

import math
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from killed_runs import contents
from tiny_recipe import tiny_recipe

from zerosum.checkpoints import load_model, open_run
from zerosum.losses import token_losses
from zerosum.training import batch, restore, train
from zerosum.training.optimizers import OPTIMIZERS
from zerosum.training.recipe import Recipe
from zerosum.training.replay.one_update import one_update
from zerosum.training.replay.real_steps import real_steps
from zerosum.training.replay.updater import find_updater

CASES: list[tuple[str, dict[str, Any]]] = [(kind, {"lr": 0.01, "weight_decay": 0.1}) for kind in OPTIMIZERS.names()]
CASES += [("sgd", {"momentum": 0.9, "lr": 1.0})]


class Run(NamedTuple):
    recipe: Recipe
    folder: Path


@pytest.fixture(scope="module", params=CASES, ids=str)
def run(request: pytest.FixtureRequest, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    kind, settings = request.param
    optimizer = OPTIMIZERS.settings(kind)(**settings)
    recipe = tiny_recipe(corpus, optimizer=optimizer, steps=5)
    folder = tmp_path_factory.mktemp("runs") / kind
    train(recipe, folder)
    return Run(recipe, folder)


def saved(folder: Path) -> tuple[Any, Any]:
    optimizer = torch.load(folder / "checkpoint-5" / "training_state.pt", weights_only=True)["optimizer"]
    values = [value for state in optimizer["state"].values() for value in state.values()]
    return optimizer["param_groups"], [v.tolist() if isinstance(v, torch.Tensor) else v for v in values]


def test_continues_bit_for_bit(run: Run, tmp_path: Path) -> None:
    shutil.copytree(run.folder, tmp_path / "ended")
    for step in (4, 5):
        shutil.rmtree(tmp_path / "ended" / f"checkpoint-{step}")
    train(run.recipe, tmp_path / "ended")
    assert contents(tmp_path / "ended") == contents(run.folder)
    assert saved(tmp_path / "ended") == saved(run.folder)


def test_the_saved_state_gives_the_next_step_of_the_run(run: Run) -> None:
    recipe = run.recipe
    before, after = (point for point in open_run(run.folder).checkpoints if point.step in (4, 5))
    model, model_after = load_model(before), load_model(after)
    start = [parameter.clone() for parameter in model.parameters()]
    updater = find_updater(before.path, model)
    assert type(updater.optimizer) is type(restore(before.path, recipe).plain_optimizer)
    assert updater.settings["name"] == recipe.optimizer.title
    assert math.isclose(updater.settings["lr"], recipe.optimizer.lr)

    tokens = batch(recipe, 4).ids
    step = next(real_steps(model, updater, tokens[None], tokens[:1]))
    assert abs(step.losses.batch_after - token_losses(model_after, tokens)).max() < 2e-6
    assert abs(step.losses.batch_after - step.losses.batch_before).max() > 1e-5
    assert all(torch.equal(one, other) for one, other in zip(model.parameters(), start, strict=True))

    moved = one_update(model, updater, tokens)
    for (name, new), old in zip(model_after.named_parameters(), start, strict=True):
        assert abs(new - old - moved[name]).max() < 1e-6
