"""Runs that continue another run under other settings, and runs that start from the weights of a checkpoint."""

import json
from pathlib import Path

import pytest
import torch
from test_loop import Stop, contents, stop_after

from zerosum.errors import InputError
from zerosum.training import Recipe, batch, optimizer_step, restore, train
from zerosum.training.branch import branch, cooldown, model_of
from zerosum.training.optimizers.adamw import AdamWSettings
from zerosum.training.optimizers.sgd import SGDSettings
from zerosum.training.recipe import StartRecipe


@pytest.fixture
def parent(recipe: Recipe, tmp_path: Path) -> Path:
    train(recipe, tmp_path / "parent")
    return tmp_path / "parent"


def rows(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def test_branch_without_a_change_is_the_run_itself(recipe: Recipe, parent: Path, tmp_path: Path) -> None:
    train(branch(parent, 4), tmp_path / "branch")
    assert rows(tmp_path / "branch") == rows(parent)[4:]
    for step in (4, 8, 12):
        assert weights(tmp_path / "branch" / f"checkpoint-{step}") == weights(parent / f"checkpoint-{step}")
    assert not (tmp_path / "branch" / "checkpoint-0").exists()


@pytest.mark.parametrize("step", [5, 6, 7, 9])
def test_branch_stopped_anywhere_ends_the_same(parent: Path, tmp_path: Path, step: int) -> None:
    recipe = cooldown(branch(parent, 4), 1.5)
    train(recipe, tmp_path / "whole")
    with pytest.raises(Stop):
        train(recipe, tmp_path / "stopped", callbacks=(stop_after(step),))
    train(recipe, tmp_path / "stopped")
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


def test_cooldown_falls_to_zero_over_its_share_of_the_steps_before(parent: Path, tmp_path: Path) -> None:
    recipe = cooldown(branch(parent, 8), 0.5)
    train(recipe, tmp_path / "cooled")
    full = recipe.optimizer.lr
    assert [row["step"] for row in rows(tmp_path / "cooled")] == [9, 10, 11, 12]
    assert [row["lr"] / full for row in rows(tmp_path / "cooled")] == pytest.approx([0.8, 0.6, 0.4, 0.2])
    assert rows(tmp_path / "cooled")[0]["loss"] == rows(parent)[8]["loss"]
    assert rows(tmp_path / "cooled")[-1]["tokens_seen"] == rows(parent)[-1]["tokens_seen"]


def test_new_numbers_of_the_optimizer_replace_the_saved_ones(parent: Path, tmp_path: Path) -> None:
    recipe = branch(parent, 8)
    optimizer = recipe.optimizer.model_copy(update={"weight_decay": 5.0})
    changed = recipe.model_copy(update={"optimizer": optimizer, "steps": 9})
    train(changed, tmp_path / "changed")
    state = restore(parent / "checkpoint-8", Recipe.load(parent / "recipe.yaml"))
    for group in state.optimizer.param_groups[:1]:
        group["weight_decay"] = 5.0
    optimizer_step(state, batch(changed, 8))
    after = torch.cat([weight.detach().flatten() for weight in state.plain_model.parameters()])
    ours = restore(tmp_path / "changed" / "checkpoint-9", changed).plain_model
    assert torch.equal(torch.cat([weight.detach().flatten() for weight in ours.parameters()]), after)


def test_tokens_before_a_branch_with_larger_batches_are_counted(parent: Path, tmp_path: Path) -> None:
    recipe = branch(parent, 4)
    larger = recipe.batch.model_copy(update={"sequences": 8})
    train(recipe.model_copy(update={"batch": larger, "steps": 6}), tmp_path / "larger")
    assert [row["tokens_seen"] for row in rows(tmp_path / "larger")] == [4 * 32 + 64, 4 * 32 + 128]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"optimizer": SGDSettings(lr=0.1)}, "cannot be branched from"),
        ({"start": StartRecipe(checkpoint="nowhere", branch=True, step=4)}, "nowhere: cannot be branched from"),
    ],
)
def test_branch_that_does_not_fit_is_refused(parent: Path, tmp_path: Path, change: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        train(branch(parent, 4).model_copy(update=change), tmp_path / "branch")


def test_step_without_a_state_is_named(parent: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"@5: no state of this step is saved\. Choose one of 0, 1, 2, 4, 8, 12"):
        branch(parent, 5)
    with pytest.raises(InputError, match="cannot be read as a recipe"):
        branch(tmp_path / "none", 5)


def test_branch_needs_steps_after_its_start(parent: Path) -> None:
    with pytest.raises(ValueError, match="the branch starts at step 8"):
        Recipe.model_validate(branch(parent, 8).model_dump() | {"steps": 8})


def test_new_run_from_the_weights_of_a_checkpoint(recipe: Recipe, parent: Path, tmp_path: Path) -> None:
    source = str(parent / "checkpoint-8")
    assert model_of(source).settings.items() >= {"hidden_size": 16, "num_hidden_layers": 1}.items()
    fresh = recipe.model_copy(update={"start": StartRecipe(checkpoint=source), "model": model_of(source), "steps": 2})
    train(fresh, tmp_path / "run")
    assert weights(tmp_path / "run" / "checkpoint-0") == weights(parent / "checkpoint-8")
    assert [row["step"] for row in rows(tmp_path / "run")] == [1, 2]
    wider = recipe.model.model_validate(recipe.model.model_dump() | {"hidden_size": 32})
    with pytest.raises(InputError, match="weights of another model"):
        train(fresh.model_copy(update={"model": wider}), tmp_path / "other")


def test_divergence_keeps_the_state_before_it(recipe: Recipe, tmp_path: Path) -> None:
    hot = recipe.model_copy(update={"optimizer": AdamWSettings(lr=1e30)})
    with pytest.raises(InputError, match=r"training diverged at step \d+ ") as caught:
        train(hot, tmp_path)
    step = int(str(caught.value).split("the state after step ")[1].split()[0])
    assert len(rows(tmp_path)) == step
    saved = [name for name in (f"checkpoint-{step}", f"resume-{step}") if (tmp_path / name).is_dir()]
    assert restore(tmp_path / saved[0], hot).step == step
