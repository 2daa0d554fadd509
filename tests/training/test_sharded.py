"""Processes that share the weights (FSDP, gloo) train what one process trains, and any number of them continues."""

import copy
import shutil
from collections.abc import Mapping
from itertools import product
from multiprocessing.context import ForkServerContext
from pathlib import Path

import numpy as np
import pytest
import torch
from killed_runs import contents
from safetensors.torch import load_file, save_file
from several_processes import end, in_each, rows, start, train_in
from tiny_recipe import tiny_recipe
from torch.distributed.tensor import DTensor

from zerosum import InputError
from zerosum.checkpoints import load_model, only_checkpoint
from zerosum.training import AfterStep, Callback, TrainingContext, batch, optimizer_step, restore, train
from zerosum.training.optimizers import OPTIMIZERS
from zerosum.training.recipe import Recipe
from zerosum.training.replay.updater import find_updater
from zerosum.training.sharding import local_part, whole
from zerosum.training.state import new_state

NUMBERS = ("loss", "grad_norm", "lr", "tokens_seen", "norm")


class Norm(Callback):
    """The norm of all weights, which needs the parts of all processes; whether weights and moments are in parts."""

    def after_step(self, context: AfterStep) -> Mapping[str, float]:
        moments = [state["exp_avg"] for state in context.optimizer.state.values()]
        in_parts = {isinstance(tensor, DTensor) for tensor in [*context.model.parameters(), *moments]}
        assert len(in_parts) == 1
        sizes = [(local_part(parameter).numel(), parameter.numel()) for parameter in context.model.parameters()]
        share = sum(here for here, _ in sizes) / sum(all_of_it for _, all_of_it in sizes)
        return {"norm": _norm(context.model), "in_parts": float(in_parts.pop()), "share": share}

    def on_checkpoint(self, context: TrainingContext, folder: Path) -> None:
        (folder / "norm.txt").write_text(str(_norm(context.model)))
        with torch.no_grad():
            assert torch.isfinite(context.model(torch.tensor([[1, 2, 3]])).logits).all()


def _norm(model: torch.nn.Module) -> float:
    squares = [parameter.detach().double().pow(2).sum() for parameter in model.parameters()]
    return sum(float(square.full_tensor() if isinstance(square, DTensor) else square) for square in squares) ** 0.5


@pytest.fixture(scope="module")
def recipe(corpus: Path) -> Recipe:
    return tiny_recipe(corpus, sharding="fsdp", steps=8, held_out=5)


@pytest.fixture(scope="module")
def runs(recipe: Recipe, processes: ForkServerContext, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of one process and of two, and a run whose first process was killed after step 7."""
    folder = tmp_path_factory.mktemp("runs")
    train(recipe, folder / "one", callbacks=(Norm(),))
    assert train_in(processes, 2, recipe, folder / "two", callbacks=(Norm(),)) == [0, 0]
    assert -9 in train_in(processes, 2, recipe, folder / "killed", callbacks=(Norm(),), stop_at=7)
    return folder


def assert_same_training(run: Path, other: Path, names: tuple[str, ...] = NUMBERS) -> None:
    for name in names:
        here, there = ([row[name] for row in rows(folder)] for folder in (run, other))
        np.testing.assert_allclose(here, there, atol=1e-5, rtol=1e-5)


def test_two_processes_hold_parts_and_train_what_one_trains(runs: Path) -> None:
    assert_same_training(runs / "two", runs / "one")
    held_out = [[row.get("held_out_loss") for row in rows(runs / name)] for name in ("one", "two")]
    assert [loss is not None for loss in held_out[0]] == [step in (1, 2, 4, 8) for step in range(1, 9)]
    for one, two in zip(*held_out, strict=True):
        assert two == (None if one is None else pytest.approx(one, abs=1e-5))
    assert {row["in_parts"] for row in rows(runs / "two")} == {1.0}
    assert {round(row["share"], 2) for row in rows(runs / "two")} == {0.5}  # of the weights in each process
    assert {row["in_parts"] for row in rows(runs / "one")} == {0.0}
    one, two = contents(runs / "one"), contents(runs / "two")
    assert {name for name in two if "/optimizer/" not in name} == set(one)  # whole Hugging Face folders
    assert {name: two[name] for name in one if name.startswith("checkpoint-0/")} == {
        name: content for name, content in one.items() if name.startswith("checkpoint-0/")
    }


def test_killed_run_of_two_continues_with_two_bit_for_bit(
    runs: Path, recipe: Recipe, processes: ForkServerContext, tmp_path: Path
) -> None:
    shutil.copytree(runs / "killed", tmp_path / "run")
    assert train_in(processes, 2, recipe, tmp_path / "run", callbacks=(Norm(),)) == [0, 0]
    assert contents(tmp_path / "run") == contents(runs / "two")


def test_run_of_two_continues_with_one_and_with_four(
    runs: Path, recipe: Recipe, processes: ForkServerContext, tmp_path: Path
) -> None:
    for name in ("by one", "by four"):
        shutil.copytree(runs / "killed", tmp_path / name)
    train(recipe, tmp_path / "by one", callbacks=(Norm(),))
    assert train_in(processes, 4, recipe, tmp_path / "by four", callbacks=(Norm(),)) == [0] * 4
    for name in ("by one", "by four"):
        assert_same_training(tmp_path / name, runs / "one")
    assert [row["in_parts"] for row in rows(tmp_path / "by one")] == [1.0] * 6 + [0.0] * 2


def test_run_of_one_continues_with_two(
    runs: Path, recipe: Recipe, processes: ForkServerContext, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "run", callbacks=(Norm(), StopAt(7)))
    assert train_in(processes, 2, recipe, tmp_path / "run", callbacks=(Norm(),)) == [0, 0]
    assert_same_training(tmp_path / "run", runs / "one")


class StopAt(Callback):
    """Ends training after a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def after_step(self, context: AfterStep) -> None:
        if context.step == self.step:
            raise KeyboardInterrupt


def test_one_process_repeats_a_step_of_two_from_the_parts(runs: Path, recipe: Recipe) -> None:
    state = restore(runs / "two" / "checkpoint-4", recipe)
    moments = [values["exp_avg"] for values in state.plain_optimizer.state.values()]
    assert all(moment.abs().sum() > 0 for moment in moments)
    assert optimizer_step(state, batch(recipe, 4)).loss == pytest.approx(rows(runs / "two")[4]["loss"], abs=1e-5)


def test_a_measured_step_uses_the_moments_of_all_parts(runs: Path, recipe: Recipe) -> None:
    folder = runs / "two" / "checkpoint-4"
    updater = find_updater(folder, load_model(only_checkpoint(str(folder))))
    moments = [tensors["exp_avg_sq"] for tensors in updater.state.values()]
    restored = restore(folder, recipe).plain_optimizer.state.values()
    assert len(moments) == len(restored) > 0
    assert all(torch.equal(moment, values["exp_avg_sq"]) for moment, values in zip(moments, restored, strict=True))
    assert (updater.settings["state"], updater.notes) == ("training_state.pt", ())


@pytest.mark.parametrize("lost", [1, 2])
def test_missing_part_is_refused(runs: Path, recipe: Recipe, tmp_path: Path, lost: int) -> None:
    shutil.copy(runs / "two" / "recipe.yaml", tmp_path)
    folder = shutil.copytree(runs / "two" / "checkpoint-4", tmp_path / "checkpoint-4")
    next((folder / "optimizer").glob(f"shard-0000{lost}-*")).unlink()
    with pytest.raises(InputError, match="checkpoint-4: cannot be continued from: damaged"):
        restore(folder, recipe)
    with pytest.raises(InputError, match=r"a part of it is missing in .*/checkpoint-4/optimizer"):
        find_updater(folder, load_model(only_checkpoint(str(folder))))


def test_damaged_state_is_refused_in_one_line(runs: Path, recipe: Recipe, tmp_path: Path) -> None:
    shutil.copy(runs / "two" / "recipe.yaml", tmp_path)
    folder = shutil.copytree(runs / "two" / "checkpoint-4", tmp_path / "checkpoint-4")
    model = load_model(only_checkpoint(str(folder)))
    whole_state = torch.load(folder / "training_state.pt", weights_only=True)
    others = [None, 3, "x", [], {}, {0: 3}, {"0.exp_avg": [-1]}, {"99.exp_avg": [1]}, {"x": "y"}, [{}]]
    for place, other in product(("parts", "optimizer", "state", "param_groups"), others):
        damaged = copy.deepcopy(whole_state)
        (damaged if place in damaged else damaged["optimizer"])[place] = other
        torch.save(damaged, folder / "training_state.pt")
        with pytest.raises(InputError, match="checkpoint-4: cannot be continued from: damaged"):
            restore(folder, recipe)
        with pytest.raises(InputError, match=r"training_state\.pt: "):
            find_updater(folder, model)


def two_steps(recipes: dict[str, Recipe], folder: Path) -> None:
    """Two updates of each recipe, and the weights that they made."""
    for name, recipe in recipes.items():
        state = new_state(recipe)
        for step in range(2):
            optimizer_step(state, batch(recipe, step))
        weights = {name: whole(value.detach()) for name, value in state.plain_model.named_parameters()}
        if state.accelerator.is_main_process:
            save_file(weights, folder / f"{name}.safetensors")


def test_every_optimizer_and_execution_updates_parts_as_it_updates_the_whole(
    recipe: Recipe, processes: ForkServerContext, tmp_path: Path
) -> None:
    kinds = [kind for kind in OPTIMIZERS.names() if OPTIMIZERS.settings(kind).sharded is None]
    assert {"adamw", "ademamix", "lion", "schedule_free"} <= set(kinds)
    changes: dict[str, dict[str, object]] = {kind: {"optimizer": {"kind": kind}} for kind in kinds}
    executions = {"activation_checkpointing": True, "mixed_precision": "bf16"}
    changes |= {name: {name: value} for name, value in executions.items()}
    changes["all"] = {**executions, "batch": {"sequences": 4, "length": 8, "passes": 2}}
    recipes = {name: Recipe.model_validate(recipe.model_dump() | change) for name, change in changes.items()}
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    for precision in ("no", "bf16"):  # a process has one precision
        some = {name: described for name, described in recipes.items() if described.mixed_precision == precision}
        two_steps(some, tmp_path / "one")
        assert end(start(processes, 2, two_steps, some, tmp_path / "two")) == [0, 0]
    for name, described in recipes.items():
        one, two = (load_file(tmp_path / folder / f"{name}.safetensors") for folder in ("one", "two"))
        # Adam's update of a weight whose gradient is near 0 depends on the sign of that gradient, which bfloat16 rounds
        # otherwise in other batches: by up to the rate of two steps.
        bound = 2 * described.optimizer.lr if described.mixed_precision == "bf16" else 1e-6
        for key, weights in one.items():
            torch.testing.assert_close(two[key], weights, rtol=1e-5, atol=bound, msg=f"{name}, {key}")


def test_optimizer_that_cannot_be_sharded_is_refused(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OPTIMIZERS.settings("sgd"), "sharded", "it needs whole matrices")
    values = recipe.model_dump() | {"optimizer": {"kind": "sgd", "lr": 0.1}}
    with pytest.raises(InputError) as refused:
        Recipe.read(values, "a.yaml")
    assert str(refused.value) == (
        "a.yaml: sharding fsdp does not go with optimizer.kind sgd: it needs whole matrices. Choose sharding none or "
        "another optimizer."
    )
    Recipe.read(values | {"sharding": "none"}, "a.yaml")


def fill_the_disk_of_one(recipe: Recipe, run: Path) -> None:
    """Train where the second process finds the disk full at its third part."""
    import os

    from torch.distributed.checkpoint.filesystem import FileSystem

    if os.environ["RANK"] == "1":
        create, count = FileSystem.create_stream, [0]

        def full(self: FileSystem, path: Path, mode: str):  # type: ignore[no-untyped-def]
            count[0] += mode == "wb"
            if count[0] == 3:
                raise OSError(28, "No space left on device")
            return create(self, path, mode)

        FileSystem.create_stream = full  # type: ignore[method-assign]
    in_each(train, recipe, run)


def test_full_disk_of_one_process_ends_all_and_loses_nothing(
    runs: Path, recipe: Recipe, processes: ForkServerContext, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    assert end(start(processes, 2, fill_the_disk_of_one, recipe, run)) == [0, 0]
    refusals = [(tmp_path / f"refused-{rank}").read_text() for rank in (0, 1)]
    assert all(f"{run}: cannot be written (" in refusal for refusal in refusals)
    assert sorted(path.name for path in run.glob("*-*")) == ["checkpoint-0", "checkpoint-1", "checkpoint-2"]
    train(recipe, run)
    assert_same_training(run, runs / "one", NUMBERS[:-1])
