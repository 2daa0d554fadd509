"""Real steps from a checkpoint against the formula by hand, Trainer itself, and our own training."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from tiny import VOCABULARY, tiny_model
from transformers import Trainer, TrainingArguments

from zerosum import InputError
from zerosum.checkpoints import load_model, open_run
from zerosum.losses import token_losses
from zerosum.training import batch, one_step_losses, train
from zerosum.training.optimizer_choice import Choice
from zerosum.training.replay.real_steps import draw_batches, real_steps
from zerosum.training.replay.unseen import unseen_parts
from zerosum.training.replay.updater import find_updater

IDS = np.random.default_rng(0).integers(0, VOCABULARY, (8, 13))


def gpt2(dropout=0.0):
    return tiny_model("gpt2", n_embd=16, n_head=2, embd_pdrop=dropout, attn_pdrop=0.0, resid_pdrop=0.0)


def stepped(model, updater, ids, rows=None):
    """Weights after one step; the model keeps them."""
    updater.restart()
    updater.update(Accelerator(cpu=True), model, ids, None, rows or len(ids))
    return {name: one.detach().clone() for name, one in model.named_parameters()}


def furthest(one, other):
    return max(float((one[name] - other[name]).detach().abs().max()) for name in one)


def mean_gradient(model, ids):
    """Of the plain mean over all predicted tokens."""
    ids = torch.as_tensor(ids)
    logits = model(ids[:, :-1]).logits
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
    return dict(zip(dict(model.named_parameters()), torch.autograd.grad(loss, list(model.parameters())), strict=True))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Trainer's own run of four steps, each on all of the data in two parts, with a checkpoint after each.

    Gradients are always clipped, because Trainers of different versions scale them differently: most divide by one
    token more for each sequence. The eps of AdamW is large enough to keep the biases of keys still, whose gradient is
    nothing but rounding.
    """
    folder = tmp_path_factory.mktemp("trainer")
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=4,
        save_steps=1,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=2,
        learning_rate=3e-3,
        weight_decay=0.1,
        adam_beta2=0.95,
        max_grad_norm=0.1,
        adam_epsilon=1e-6,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        logging_strategy="no",
    )
    data = [{"input_ids": row, "labels": row} for row in torch.as_tensor(IDS)]
    Trainer(model=gpt2(), args=arguments, train_dataset=data).train()
    return folder


def test_one_more_step_is_the_one_that_trainer_takes(trained):
    before, after = trained / "checkpoint-3", trained / "checkpoint-4"
    files = {path.name: path.read_bytes() for path in before.iterdir()}
    model = load_model(before)
    updater = find_updater(before, model, clip=0.1)
    assert updater.settings["lr"] == pytest.approx(3e-3 / 4)  # of the fourth of four steps of a linear schedule
    expected = dict(load_model(after).named_parameters())
    start = {name: one.detach().clone() for name, one in model.named_parameters()}
    taken = next(real_steps(model, updater, IDS[None], IDS[:3]))
    assert taken.grad_norm > 0.1
    np.testing.assert_allclose(taken.losses.batch_after, token_losses(load_model(after), IDS), atol=1e-5)
    assert furthest(start, dict(model.named_parameters())) == 0
    found = stepped(model, updater, IDS)
    assert furthest(found, expected) < 1e-6
    assert furthest(start, expected) > 1e-4
    assert {path.name: path.read_bytes() for path in before.iterdir()} == files


def test_adamw_by_hand(trained):
    folder = trained / "checkpoint-2"
    model = load_model(folder)
    saved = torch.load(folder / "optimizer.pt", weights_only=True)
    gradient = mean_gradient(model, IDS)
    norm = math.sqrt(sum(float((one**2).sum()) for one in gradient.values()))
    decaying = [name for name, one in model.named_parameters() if one.ndim == 2]
    names = decaying + [name for name, one in model.named_parameters() if one.ndim == 1]
    expected = {}
    for number, name in enumerate(names):
        state, weight, t = saved["state"][number], dict(model.named_parameters())[name].detach(), 3
        g = gradient[name] * min(1.0, 0.25 / norm)
        first = 0.9 * state["exp_avg"] + 0.1 * g
        second = 0.95 * state["exp_avg_sq"] + 0.05 * g**2
        lr = 3e-3 / 2
        decayed = weight * (1 - lr * (0.1 if name in decaying else 0.0))
        expected[name] = decayed - lr * (first / (1 - 0.9**t)) / ((second / (1 - 0.95**t)).sqrt() + 1e-6)
    found = stepped(model, find_updater(folder, model, clip=0.25), IDS)
    assert furthest(found, expected) < 1e-6


def test_sgd_with_saved_momentum_by_hand(tmp_path):
    model = gpt2()
    parameters = list(model.parameters())
    rule = Trainer.get_decay_parameter_names(None, model)
    order = [[one for n, one in model.named_parameters() if (n in rule) is yes] for yes in (True, False)]
    optimizer = torch.optim.SGD([{"params": part} for part in order], lr=0.1, momentum=0.9)
    for parameter in parameters:
        optimizer.state[parameter]["momentum_buffer"] = torch.full_like(parameter, 0.01)
    torch.save(optimizer.state_dict(), tmp_path / "optimizer.pt")
    gradient = mean_gradient(model, IDS)
    expected = {name: one.detach() - 0.1 * (0.9 * 0.01 + gradient[name]) for name, one in model.named_parameters()}
    found = stepped(model, find_updater(tmp_path, model, clip=0.0), IDS)
    assert furthest(found, expected) < 1e-6


def test_parts_of_a_batch_and_padding_weigh_every_token_the_same():
    ids = IDS.copy()
    ids[5, 6:] = -1
    ids[6, 2:] = -1
    weights = []
    for rows in (None, 3):
        model = gpt2()
        weights.append(stepped(model, find_updater(Path(), model, Choice.parse("sgd:lr=1"), 0.0), ids, rows))
    assert furthest(*weights) < 1e-6
    model = gpt2()
    inputs = torch.as_tensor(np.maximum(ids, 0))
    losses = torch.nn.functional.cross_entropy(
        model(inputs[:, :-1]).logits.transpose(1, 2), inputs[:, 1:], reduction="none"
    )
    kept = torch.as_tensor(ids[:, 1:] >= 0)
    gradient = torch.autograd.grad((losses * kept).sum() / kept.sum(), list(model.parameters()))
    expected = {name: one.detach() - g for (name, one), g in zip(model.named_parameters(), gradient, strict=True)}
    assert furthest(weights[0], expected) < 1e-6


def test_each_batch_begins_at_the_checkpoint(trained):
    model = load_model(trained / "checkpoint-2")
    updater = find_updater(trained / "checkpoint-2", model)
    batches = np.stack([IDS[:4], IDS[4:], IDS[:4]])
    first, second, again = real_steps(model, updater, batches, IDS[:3], tokens_per_batch=24)
    np.testing.assert_array_equal(first.losses.held_out_after, again.losses.held_out_after)
    assert np.abs(first.losses.held_out_after - second.losses.held_out_after).max() > 1e-4
    np.testing.assert_array_equal(first.held_out_before, token_losses(model, IDS[:3], tokens_per_batch=24))
    assert first.loss == pytest.approx(float(first.losses.batch_before.mean()), abs=1e-5)


def test_the_step_of_our_own_run(recipe, tmp_path):
    train(recipe, tmp_path)
    checkpoint = next(one for one in open_run(tmp_path).checkpoints if one.step == 2)
    ids = batch(recipe, 2).ids
    held_out = batch(recipe, 99).ids
    model = load_model(checkpoint)
    updater = find_updater(checkpoint.path, model)
    assert (updater.clip, updater.batch_size, updater.notes) == (1.0, 4, ())
    taken = next(real_steps(model, updater, ids[None], held_out))
    own = one_step_losses(recipe, checkpoint, held_out)
    np.testing.assert_allclose(taken.losses.batch_after, own.batch_after, atol=2e-6)
    np.testing.assert_allclose(taken.losses.held_out_after, own.held_out_after, atol=2e-6)
    logged = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[2])
    assert (taken.loss, taken.grad_norm) == pytest.approx((logged["loss"], logged["grad_norm"]), rel=1e-5)
    (tmp_path / "recipe.yaml").unlink()
    with pytest.raises(InputError, match=r"recipe.yaml: not there"):
        find_updater(checkpoint.path, model)


def test_dropout_is_off_and_said():
    model = gpt2(dropout=0.5).train()
    updater = find_updater(Path(), model, Choice.parse("sgd:lr=0.1"))
    one, other = real_steps(model, updater, np.stack([IDS, IDS]), IDS[:2])
    np.testing.assert_array_equal(one.losses.batch_after, other.losses.batch_after)
    (dropout,) = unseen_parts(Path("ckpt.pt"), model)
    assert (dropout.code, dropout.message) == (
        "dropout",
        "the model's settings have embd_pdrop 0.5; the steps here drop nothing out, so that they are reproducible",
    )
    assert unseen_parts(Path("ckpt.pt"), gpt2()) == ()
    model.config.output_router_logits = True
    _, router = unseen_parts(Path("ckpt.pt"), model)
    assert (router.code, "balanced experts" in router.message) == ("router-loss", True)


def test_a_step_that_destroys_the_model_is_refused_and_undone():
    model = gpt2()
    start = {name: one.detach().clone() for name, one in model.named_parameters()}
    updater = find_updater(Path(), model, Choice.parse("sgd:lr=1e38"), 0.0)
    with pytest.raises(InputError, match=r"batch 1: .* not finite"):
        next(real_steps(model, updater, IDS[None], IDS[:2]))
    assert furthest(start, dict(model.named_parameters())) == 0


def test_batches_that_the_data_does_not_give():
    with pytest.raises(InputError, match="8 training sequences: too few for 3 batches of 3"):
        draw_batches(8, size=3, number=3, seed=0)
    assert not np.array_equal(draw_batches(50, 10, 5, seed=0), draw_batches(50, 10, 5, seed=1))
