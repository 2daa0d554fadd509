"""In our own loop: nothing changes, and values are those of the checkpoints measured afterwards."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from on_step import OnStep

from zerosum.checkpoints import load_model, open_run
from zerosum.interference.labelled import measure_changes
from zerosum.losses import token_losses
from zerosum.monitor.names import NUMBERS, name_of
from zerosum.monitor.own_loop import MonitorCallback
from zerosum.training import one_step_losses, train
from zerosum.training.optimizers.schedule_free import ScheduleFreeSettings
from zerosum.training.recipe import Recipe


def rows(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


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
    whole, stopped = (
        [{name: value for name, value in row.items() if name != "zerosum/cost"} for row in rows(tmp_path / run)]
        for run in ("whole", "stopped")
    )
    assert whole == stopped
    assert "zerosum/D_double" in stopped[8]
