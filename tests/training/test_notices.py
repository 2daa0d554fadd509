"""Signs that a run is not what was meant, told at once, while training goes on."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from zerosum.loss_watch import LossWatch
from zerosum.training import Recipe, train
from zerosum.training.notices import Notice, TrainingWarning
from zerosum.training.optimizers.adamw import AdamWSettings
from zerosum.training.schedules.cosine import CosineSettings


def notices(recipe: Recipe, run: Path) -> list[tuple[str, int]]:
    seen: list[Notice] = []
    train(recipe, run, on_notice=seen.append)
    return [(notice.code, notice.step) for notice in seen]


def test_a_usual_run_gives_none(recipe: Recipe, tmp_path: Path) -> None:
    assert notices(recipe, tmp_path) == []


def test_warmup_longer_than_the_run(recipe: Recipe, tmp_path: Path) -> None:
    long = recipe.schedule.model_copy(update={"warmup_steps": 12})
    assert notices(recipe.model_copy(update={"schedule": long}), tmp_path) == [("warmup-longer-than-run", 0)]


def test_rate_at_zero(recipe: Recipe, tmp_path: Path) -> None:
    ended = recipe.model_copy(update={"schedule": CosineSettings(final=0.0), "steps": 4})
    assert notices(ended, tmp_path) == [("rate-zero", 4)]


def test_checkpoint_that_does_not_change(recipe: Recipe, tmp_path: Path) -> None:
    still = recipe.model_copy(update={"optimizer": AdamWSettings(lr=1e-30, weight_decay=0.0), "steps": 2})
    assert notices(still, tmp_path) == [("unchanged-checkpoint", 1), ("unchanged-checkpoint", 2)]


def test_without_a_receiver_notices_are_warnings(recipe: Recipe, tmp_path: Path) -> None:
    still = recipe.model_copy(update={"optimizer": AdamWSettings(lr=1e-30, weight_decay=0.0), "steps": 1})
    with pytest.warns(TrainingWarning, match="step 1: checkpoint-1 holds the weights"):
        train(still, tmp_path)


def falling_losses(seed: int, n: int = 2000) -> list[float]:
    """A power law with noise that is autocorrelated, as minibatch losses are."""
    generator = np.random.default_rng(seed)
    noise = np.convolve(generator.standard_normal(n + 4), np.full(5, 5**-0.5), mode="valid")
    return (2 + 8 * np.arange(1, n + 1) ** -0.5 + 0.03 * noise).tolist()


def test_spikes_are_seen_and_noise_is_not() -> None:
    for seed in range(10):
        losses = falling_losses(seed)
        watch = LossWatch()
        assert not any([watch.is_spike(loss) for loss in losses])
        losses[1500:1520] = [loss + 1 for loss in losses[1500:1520]]
        watch = LossWatch()
        assert [k for k, loss in enumerate(losses) if watch.is_spike(loss)] == [1500]


def test_held_out_loss_is_that_of_the_checkpoint(recipe: Recipe, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    train(recipe.model_copy(update={"held_out": 10, "held_out_per_decade": 4}), tmp_path / "held_out")
    train(recipe, tmp_path / "plain")
    rows = [json.loads(line) for line in (tmp_path / "held_out" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "held_out_loss" in row] == [1, 2, 3, 4, 6, 8, 10, 12]
    ids = torch.from_numpy(recipe.data.open().held_out(10, 8).ids)
    for step in (1, 12):
        model = AutoModelForCausalLM.from_pretrained(tmp_path / "held_out" / f"checkpoint-{step}")
        loss = torch.nn.functional.cross_entropy(model(ids[:, :-1]).logits.flatten(0, 1), ids[:, 1:].flatten())
        assert rows[step - 1]["held_out_loss"] == pytest.approx(loss.item(), abs=1e-5)
    last = "checkpoint-12/model.safetensors"
    assert (tmp_path / "held_out" / last).read_bytes() == (tmp_path / "plain" / last).read_bytes()


def test_tensorboard_gets_every_row(recipe: Recipe, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(recipe, tmp_path, trackers=("tensorboard",))
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    losses = [(event.step, pytest.approx(event.value)) for event in events.Scalars("loss")]
    assert [(row["step"], row["loss"]) for row in rows] == losses
