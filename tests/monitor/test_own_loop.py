"""In our own loop: nothing changes, and values are those of the checkpoints measured afterwards."""

import json
from collections.abc import Mapping
from dataclasses import replace
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import train_ours
from loops import TROUBLE_STEPS, assert_trouble_is_told_once, trouble
from on_step import OnStep
from several_processes import end, start

from zerosum.checkpoints import load_model, open_run
from zerosum.interference.labelled import measure_changes
from zerosum.losses import token_losses
from zerosum.monitor.names import NUMBERS, name_of
from zerosum.monitor.own_loop import MonitorCallback
from zerosum.training import AfterStep, Callback, one_step_losses, train
from zerosum.training.batches import batch
from zerosum.training.optimizers.schedule_free import ScheduleFreeSettings
from zerosum.training.recipe import Recipe


def rows(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def without_cost(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "zerosum/cost"}


def weights(run: Path, recipe: Recipe) -> list[bytes]:
    return [(run / f"checkpoint-{step}" / "model.safetensors").read_bytes() for step in recipe.checkpoint_steps]


def monitored(recipe: Recipe) -> MonitorCallback:
    return MonitorCallback(recipe.data.open().held_out(24, recipe.batch.length), cost="full")


@pytest.mark.parametrize("schedule_free", [False, True])
def test_values_are_those_of_the_checkpoints_and_training_is_unchanged(
    recipe: Recipe, tmp_path: Path, schedule_free: bool
) -> None:
    if schedule_free:
        recipe = recipe.model_copy(update={"optimizer": ScheduleFreeSettings()})
    train(recipe, tmp_path / "without")
    train(recipe, tmp_path / "with", callbacks=(monitored(recipe),))
    assert weights(tmp_path / "without", recipe) == weights(tmp_path / "with", recipe)

    held_out = recipe.data.open().held_out(24, recipe.batch.length)
    before = {}
    for checkpoint in open_run(tmp_path / "with").checkpoints:
        step = checkpoint.step
        before[step] = token_losses(load_model(checkpoint), held_out.ids)
        if step not in (1, 2, 4, 8):
            continue
        losses = one_step_losses(recipe, checkpoint, held_out.ids)
        expected = {
            "step": measure_changes(before[step], losses.held_out_after, held_out.document),
            "batch": measure_changes(losses.batch_before, losses.batch_after),
        }
        if step > 1:
            expected["double"] = measure_changes(before[step // 2], before[step], held_out.document)
        row = rows(tmp_path / "with")[step]
        for span, changes in expected.items():
            for number in NUMBERS:
                measured = getattr(changes.measured, number)
                np.testing.assert_allclose(row[name_of(number, span)], measured, atol=1e-5, err_msg=f"{step} {span}")


def test_a_stopped_run_continues_with_the_same_values(recipe: Recipe, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(step: int, loss: float) -> None:
        if step == 8:
            raise Stop

    train(recipe, tmp_path / "whole", callbacks=(monitored(recipe),))
    with pytest.raises(Stop):
        train(recipe, tmp_path / "stopped", callbacks=(monitored(recipe), OnStep(stop)))
    train(recipe, tmp_path / "stopped", callbacks=(monitored(recipe), OnStep(lambda step, loss: None)))
    whole, stopped = ([without_cost(row) for row in rows(tmp_path / run)] for run in ("whole", "stopped"))
    assert whole == stopped
    assert "zerosum/D_double" in stopped[8]


class InTrouble(MonitorCallback):
    """Sees other losses than those of training."""

    def after_step(self, context: AfterStep) -> Mapping[str, float] | None:
        return super().after_step(replace(context, loss=trouble(context.step - 1, context.loss)))


def test_trouble_is_told_once(recipe: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    still = recipe.optimizer.model_copy(update={"lr": 0.0})
    recipe = recipe.model_copy(update={"steps": TROUBLE_STEPS, "optimizer": still})
    schedule = [1, 2, 4, 8, 16, TROUBLE_STEPS - 1]
    callback = InTrouble(batch(recipe, 1).ids, cost="full", schedule=schedule)
    train(recipe, tmp_path / "run", callbacks=(callback,), on_notice=lambda notice: None)
    assert_trouble_is_told_once(caplog, rows(tmp_path / "run"), each=False)


class StopOnce(Callback):
    """Ends training after a step, in every process that calls it; not again when the run is continued."""

    def __init__(self, step: int) -> None:
        self.step = step

    def after_step(self, context: AfterStep) -> None:
        if context.step == self.step:
            self.step = 0
            raise KeyboardInterrupt


def test_two_processes(recipe: Recipe, processes: ForkServerContext, tmp_path: Path) -> None:
    """With whole weights and with shared ones: nothing changes, and values are those of the checkpoints."""
    model = recipe.model.model_copy(update={"attention_dropout": 0.2})
    runs = []
    for sharding in ("none", "fsdp"):
        its = Recipe.model_validate(
            recipe.model_dump() | {"model": model.model_dump(), "sharding": sharding, "steps": 9}
        )
        runs += [(its, tmp_path / sharding / "without", ()), (its, tmp_path / sharding / "with", (monitored(its),))]
        if sharding == "fsdp":
            runs.append((its, tmp_path / sharding / "stopped", (monitored(its), StopOnce(7))))
    assert end(start(processes, 2, train_ours, runs)) == [0, 0]
    held_out = recipe.data.open().held_out(24, recipe.batch.length)
    for sharding in ("none", "fsdp"):
        watched, without = tmp_path / sharding / "with", tmp_path / sharding / "without"
        assert weights(watched, its) == weights(without, its)
        of = {
            checkpoint.step: token_losses(load_model(checkpoint), held_out.ids)
            for checkpoint in open_run(watched).checkpoints
        }
        logged = rows(watched)
        pairs = {("step", 1): (1, 2), **{("double", step): (step // 2, step) for step in (2, 4, 8)}}
        for (span, step), (before, after) in pairs.items():
            measured = measure_changes(of[before], of[after], held_out.document).measured
            for number in NUMBERS:
                value, expected = logged[step][name_of(number, span)], getattr(measured, number)
                np.testing.assert_allclose(value, expected, atol=1e-6, err_msg=f"{step} {span}")
    stopped = rows(tmp_path / "fsdp" / "stopped")
    assert [without_cost(row) for row in stopped] == [without_cost(row) for row in rows(tmp_path / "fsdp" / "with")]
