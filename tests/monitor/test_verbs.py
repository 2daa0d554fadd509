"""What the monitor logs is what `zerosum step` and `zerosum interference` say of the same checkpoints."""

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loops import DATA, PROBE
from tiny import tiny_model

from zerosum.monitor.names import NUMBERS, name_of
from zerosum.monitor.own_loop import MonitorCallback
from zerosum.runs import read_monitor_log
from zerosum.training import train
from zerosum.training.batches import batch
from zerosum.training.recipe import Recipe

sys.path.append(str(Path(__file__).parents[1] / "cli"))

from called import call, one_document  # noqa: F401 (a fixture)

LAST = 5
MEASURED = (1, 2, 4)
Trained = tuple[np.ndarray, dict[int, np.ndarray]]
"""Held-out tokens, and the batch of each update."""


def own_loop(run: Path, recipe: Recipe) -> Trained:
    recipe = recipe.model_copy(update={"steps": LAST})
    held_out = recipe.data.open().held_out(24, recipe.batch.length).ids
    train(recipe, run, callbacks=(MonitorCallback(held_out, cost="full"),))
    return held_out, {step: batch(recipe, step).ids for step in MEASURED}


def trainer(run: Path, recipe: Recipe) -> Trained:
    from transformers import Trainer, TrainingArguments

    from zerosum.monitor.huggingface import ZerosumCallback

    seen: list[np.ndarray] = []
    model = tiny_model()

    def look(module: Any, given: Any, named: dict[str, Any]) -> None:
        if module.training:
            seen.append(named["input_ids"].numpy())

    model.register_forward_pre_hook(look, with_kwargs=True)
    arguments = TrainingArguments(
        str(run), max_steps=LAST, per_device_train_batch_size=8, save_steps=1, logging_steps=1, report_to=[],
        disable_tqdm=True, use_cpu=True, learning_rate=1e-2, lr_scheduler_type="constant",
    )  # fmt: skip
    data = [{"input_ids": row, "labels": row} for row in DATA]
    with redirect_stdout(StringIO()):
        Trainer(model, arguments, train_dataset=data, callbacks=[ZerosumCallback(PROBE, cost="full")]).train()
    return PROBE, {step: seen[step] for step in MEASURED}


HOSTS: dict[str, Callable[[Path, Recipe], Trained]] = {"own loop": own_loop, "Trainer": trainer}


@pytest.mark.parametrize("host", HOSTS)
def test_values_are_those_of_the_verbs(call: Any, recipe: Recipe, tmp_path: Path, host: str) -> None:  # noqa: F811
    run = tmp_path / "run"
    held_out, batches = HOSTS[host](run, recipe)
    np.save(tmp_path / "held_out.npy", held_out)
    log = read_monitor_log(run)
    assert log is not None
    logged = {step.step: step.values for step in log.of("step")}
    assert list(logged) == list(MEASURED)

    def agree(step: int, span: Any, document: dict[str, Any]) -> None:
        for number in NUMBERS:
            name = name_of(number, span).removeprefix("zerosum/")
            assert logged[step][name] == pytest.approx(document[number], abs=1e-5), (step, name)

    data = ("--data", tmp_path / "held_out.npy", "--sequence-length", held_out.shape[1] - 1)
    for step in MEASURED:
        np.save(tmp_path / "batch.npy", batches[step])
        arguments = ("--train", tmp_path / "batch.npy", *data, "--batches", 1, "--device", "cpu", "--json")
        code, out, err = call("step", run / f"checkpoint-{step}", *arguments)
        assert code == 0, err
        (document,) = one_document(out)["steps"]
        splits = {measured["split"]: measured for measured in document["batches"]}
        agree(step, "step", splits["heldout"])
        agree(step, "batch", splits["batch"])
    assert call("losses", run, *data, "--device", "cpu")[0] == 0
    code, out, err = call("interference", run, "--json")
    assert code == 0, err
    pairs = {pair["to_step"]: pair for pair in one_document(out)["pairs"] if pair["to_step"] in MEASURED}
    assert list(pairs) == [2, 4]
    for step, pair in pairs.items():
        agree(step, "double", pair)
