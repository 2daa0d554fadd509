"""In Hugging Face's Trainer: nothing changes, values are those of the checkpoints, and a resumed run continues."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from loops import DATA, PROBE, TROUBLE_STEPS, assert_trouble_is_told_once, model_with_dropout, trouble
from transformers import Trainer, TrainingArguments
from transformers.utils import logging

import zerosum
from zerosum.checkpoints import load_model, open_run
from zerosum.interference import measure
from zerosum.losses import token_losses
from zerosum.monitor.huggingface import ZerosumCallback

STEPS = 5


def train(
    run: Path, *, monitored: bool, resume: bool = False, kind: Any = Trainer, probe: Any = PROBE, **more: Any
) -> Trainer:
    logging.set_verbosity_error()
    settings = {"max_steps": STEPS, "save_steps": 1, "logging_steps": 1, "seed": 3, "learning_rate": 1e-2}
    settings |= {"gradient_accumulation_steps": 2} | more
    arguments = TrainingArguments(
        str(run),
        per_device_train_batch_size=4,
        report_to=["tensorboard"] if monitored else [],
        disable_tqdm=True,
        use_cpu=True,
        **settings,
    )
    data = [{"input_ids": row, "labels": row} for row in DATA]
    callbacks = [ZerosumCallback(probe, cost="full", total_steps=STEPS)] if monitored else []
    trainer = kind(model_with_dropout(), arguments, train_dataset=data, callbacks=callbacks)
    trainer.train(resume_from_checkpoint=resume)
    return trainer


def state_of(run: Path, trainer: Trainer) -> list[torch.Tensor]:
    saved = torch.load(run / f"checkpoint-{STEPS}" / "optimizer.pt", weights_only=True)
    moments = [value for state in saved["state"].values() for value in state.values()]
    return [*(value.detach() for value in trainer.model.parameters()), *moments, torch.get_rng_state()]


def monitor_rows(trainer: Trainer) -> dict[int, dict[str, float]]:
    return {
        row["step"]: {name: value for name, value in row.items() if name not in ("epoch", "zerosum/cost")}
        for row in trainer.state.log_history
        if "zerosum/D_step" in row
    }


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Trainer, list[torch.Tensor]]:
    run = tmp_path_factory.mktemp("watched")
    trainer = train(run, monitored=True)
    return run, trainer, state_of(run, trainer)


def test_nothing_changes(watched: tuple[Path, Trainer, list[torch.Tensor]], tmp_path: Path) -> None:
    without = state_of(tmp_path, train(tmp_path, monitored=False))
    assert all(torch.equal(one, other) for one, other in zip(without, watched[2], strict=True))


def test_values_are_those_of_the_checkpoints(watched: tuple[Path, Trainer, list[torch.Tensor]]) -> None:
    run, trainer, _ = watched
    losses = {
        checkpoint.step: token_losses(load_model(checkpoint), PROBE).astype(float)
        for checkpoint in open_run(run).checkpoints
    }
    rows = monitor_rows(trainer)
    assert list(rows) == [1, 2, 4]
    for step in rows:
        pairs = {"step": (step, step + 1), "double": (step // 2, step)}
        for span, (before, after) in pairs.items():
            if before:
                expected = measure(losses[after] - losses[before])
                for number in ("D", "R", "M", "delta_L", "null_unit", "excess"):
                    value = rows[step][f"zerosum/{number}_{span}"]
                    np.testing.assert_allclose(value, getattr(expected, number), atol=1e-5)


def test_what_is_logged_stays_a_loss_curve(watched: tuple[Path, Trainer, list[torch.Tensor]]) -> None:
    run, trainer, _ = watched
    trainer.save_state()
    sources = [run / "trainer_state.json", *run.rglob("events.out.tfevents*")]
    assert len(sources) == 2
    for source in sources:
        np.testing.assert_array_equal(zerosum.read_curve(source).step, np.arange(1, STEPS + 1))


def test_a_resumed_run_continues(watched: tuple[Path, Trainer, list[torch.Tensor]], tmp_path: Path) -> None:
    train(tmp_path, monitored=True, max_steps=3, lr_scheduler_type="constant")
    resumed = train(tmp_path, monitored=True, resume=True, lr_scheduler_type="constant")
    whole = train(tmp_path / "whole", monitored=True, lr_scheduler_type="constant")
    assert monitor_rows(resumed) == monitor_rows(whole)
    assert "zerosum/D_double" in monitor_rows(resumed)[4]


class InTrouble(Trainer):  # type: ignore[misc]  # transformers is not typed
    def compute_loss(self, *given: Any, **more: Any) -> Any:
        return trouble(self.state.global_step, super().compute_loss(*given, **more))


def test_trouble_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    more = {"max_steps": TROUBLE_STEPS, "save_steps": TROUBLE_STEPS, "logging_nan_inf_filter": False}
    more |= {"learning_rate": 0.0, "gradient_accumulation_steps": 1}
    trainer = train(tmp_path, monitored=True, kind=InTrouble, probe=DATA, **more)
    assert_trouble_is_told_once(caplog, trainer.state.log_history)


def test_wrong_arguments_are_refused_before_training() -> None:
    with pytest.raises(zerosum.InputError, match="log3"):
        ZerosumCallback(PROBE, schedule="log3")
