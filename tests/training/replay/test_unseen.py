"""What `zerosum step` cannot see of a run's loss is said, and its arguments are read without executing them."""

import math

import numpy as np
import pytest
import torch
from tiny import VOCABULARY, save_checkpoint, tiny_model
from transformers import Trainer, TrainingArguments

from zerosum.checkpoints import load_model
from zerosum.training.replay.real_steps import real_steps
from zerosum.training.replay.trainer_arguments import FILE, read_trainer_arguments
from zerosum.training.replay.unseen import unseen_parts
from zerosum.training.replay.updater import find_updater

IDS = np.random.default_rng(0).integers(0, VOCABULARY, (8, 9))
GPT2 = {"n_embd": 8, "n_layer": 1, "n_head": 2, "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}


def arguments(folder, **options):
    common = {"use_cpu": True, "report_to": [], "disable_tqdm": True, "save_steps": 1, "max_steps": 2}
    return TrainingArguments(output_dir=str(folder), **common, **options)


def trained(folder, family, **options):
    """Trainer's own run of two steps on all of the data; returns the norms of its gradients."""
    sizes = GPT2 if family == "gpt2" else {}
    args = arguments(folder, per_device_train_batch_size=4, gradient_accumulation_steps=2, logging_steps=1, **options)
    data = [{"input_ids": row, "labels": row} for row in torch.as_tensor(IDS)]
    trainer = Trainer(model=tiny_model(family, **sizes), args=args, train_dataset=data)
    trainer.train()
    return [row["grad_norm"] for row in trainer.state.log_history if "grad_norm" in row]


def codes(path, model):
    return [part.code for part in unseen_parts(path, model)]


@pytest.mark.parametrize(("family", "one_more"), [("gpt2", True), ("llama", False)])
def test_the_divisor_of_the_installed_trainer(tmp_path, family, one_more):
    """The norm of the gradient in Trainer's log, against that of the same step here."""
    norms = trained(tmp_path, family, max_grad_norm=0.05)
    path = tmp_path / "checkpoint-1"
    model = load_model(path)
    updater = find_updater(path, model)
    assert (updater.clip, updater.batch_size, updater.notes) == (0.05, 8, ())
    step = next(real_steps(model, updater, IDS[None], IDS[:2]))
    T = IDS.shape[1] - 1
    assert norms[1] / step.grad_norm == pytest.approx(T / (T + 1) if one_more else 1, rel=2e-3)
    assert ("one-token-more" in codes(path, model)) is one_more
    assert codes(path, model)[-1] == "own-loss-unknown"


def test_label_smoothing_and_noise_are_said(tmp_path):
    model = tiny_model()
    path = save_checkpoint(tmp_path, 1, model, optimizer=torch.optim.SGD(model.parameters(), lr=0.1))
    assert codes(path, model) == ["no-training-arguments"]
    torch.save(arguments(tmp_path, label_smoothing_factor=0.1, neftune_noise_alpha=5, max_grad_norm=0), path / FILE)
    smoothing, noise, _ = unseen_parts(path, model)
    assert (smoothing.code, "label_smoothing_factor 0.1" in smoothing.message) == ("label-smoothing", True)
    assert (noise.code, "neftune_noise_alpha 5" in noise.message) == ("neftune", True)
    assert read_trainer_arguments(path).clip == math.inf


class OtherConfig:
    """Stands in for the arguments of another trainer, such as trl's."""


def test_other_trainers_and_loss_functions_are_said(tmp_path):
    model = tiny_model()
    path = save_checkpoint(tmp_path, 1, model)
    other = OtherConfig()
    other.label_smoothing_factor = 0.2
    torch.save(other, path / FILE)
    assert codes(path, model) == ["label-smoothing", "own-loss"]
    assert "test_unseen.OtherConfig" in unseen_parts(path, model)[1].message
    model.config.loss_type = "\x1b[2JMine"
    assert codes(path, model)[0] == "own-loss"
    assert all(part.message.isprintable() for part in unseen_parts(path, model))


class Touch:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return open, (str(self.file), "w")


def test_hostile_arguments_touch_nothing(tmp_path):
    model, touched = tiny_model(), tmp_path / "touched"
    path = save_checkpoint(tmp_path, 1, model)
    hostile = OtherConfig()
    values = {"label_smoothing_factor": Touch(touched), "neftune_noise_alpha": float("nan"), "max_grad_norm": "1"}
    hostile.__dict__.update(values | {"per_device_train_batch_size": 10**30, "distributed_state": [1]})
    for content in (hostile, Touch(touched), [Touch(touched)], {"label_smoothing_factor": 0.1}):
        torch.save(content, path / FILE)
        codes(path, model)
        assert not touched.exists()
    torch.save(hostile, path / FILE)
    found = read_trainer_arguments(path)
    assert (found.clip, found.batch_size) == (None, None)
    (path / FILE).write_bytes(b"no archive")
    assert codes(path, model) == ["no-training-arguments"]
    assert "cannot be read without executing it" in unseen_parts(path, model)[0].message
    (path / FILE).unlink()
    (path / FILE).symlink_to("/etc/hostname")
    assert read_trainer_arguments(path) is None


def test_runs_of_other_versions_may_have_divided_otherwise(tmp_path):
    model = tiny_model("gpt2", **GPT2)
    path = save_checkpoint(tmp_path, 1, model, optimizer=torch.optim.SGD(model.parameters(), lr=0.1))
    text = (path / "config.json").read_text()
    for version, expected in (("4.45.0", False), ("4.46.1", True), ("5.0.0", True)):
        written = text.replace(str(__import__("transformers").__version__), version)
        (path / "config.json").write_text(written)
        assert ("one-token-more" in codes(path, model)) is expected
        assert expected is ("may have divided" in " ".join(part.message for part in unseen_parts(path, model)))
