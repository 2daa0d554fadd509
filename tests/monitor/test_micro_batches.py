"""Each host gives the micro-batches of an accumulated step, with gradients that are not clipped, where it is asked."""

import copy
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from loops import DATA, PROBE
from tiny import tiny_model

import zerosum
from zerosum.checkpoints import load_model, open_run
from zerosum.gradients.parameters import in_D_grad, trainable
from zerosum.monitor.batches import ids_of, predicted_tokens
from zerosum.monitor.micro_steps import NO_TOKENS
from zerosum.training.batches import batch as batch_of_recipe
from zerosum.training.recipe import Recipe

STEP, MICRO, ROWS = 1, 3, 4
SETTINGS: dict[str, Any] = {"schedule": [STEP], "cost": "full", "gradients": "sampled"}
CLIP = 1e-3
LABELS = [torch.where(torch.arange(13) < k % 7, -100, row) for k, row in enumerate(DATA)]
"""So that micro-batches predict different numbers of tokens."""
Seen = list[tuple[Any, torch.Tensor, torch.Tensor]]
"""Of each forward pass of training: weights, ids and labels."""


def watched_model(seen: Seen) -> Any:
    model = tiny_model().train()

    def look(module: Any, given: Any, named: dict[str, Any]) -> None:
        if module.training:
            seen.append((copy.deepcopy(module.state_dict()), named["input_ids"], named["labels"]))

    model.register_forward_pre_hook(look, with_kwargs=True)
    return model


def of_the_step(seen: Seen) -> tuple[Any, list[Any]]:
    """The model before the update of STEP, and ids and labels of its micro-batches."""
    model, own = tiny_model(), seen[MICRO * STEP : MICRO * (STEP + 1)]
    model.load_state_dict(own[0][0])
    return model, [(ids, labels) for _, ids, labels in own]


def trainer(folder: Path, recipe: Recipe) -> tuple[Any, Any, list[Any]]:
    from transformers import Trainer, TrainingArguments

    from zerosum.monitor.huggingface import ZerosumCallback

    seen: Seen = []
    arguments = TrainingArguments(
        str(folder), max_steps=STEP + 1, per_device_train_batch_size=ROWS, gradient_accumulation_steps=MICRO,
        save_strategy="no", report_to=[], disable_tqdm=True, use_cpu=True, max_grad_norm=CLIP,
    )  # fmt: skip
    data = [{"input_ids": row, "labels": labels} for row, labels in zip(DATA, LABELS, strict=True)]
    callback = ZerosumCallback(PROBE, **SETTINGS)
    runner = Trainer(watched_model(seen), arguments, train_dataset=data, callbacks=[callback])
    runner.train()
    assert "training_step" not in vars(runner)
    return callback.monitor, *of_the_step(seen)


def lightning(folder: Path, recipe: Recipe) -> tuple[Any, Any, list[Any]]:
    pytest.importorskip("lightning")
    from lightning.pytorch import LightningModule, Trainer

    from zerosum.monitor.lightning import ZerosumCallback

    seen: Seen = []

    class Module(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = watched_model(seen)

        def training_step(self, batch: torch.Tensor) -> Any:
            return self.model(input_ids=batch["input_ids"], labels=batch["labels"]).loss

        def configure_optimizers(self) -> Any:
            return torch.optim.AdamW(self.parameters(), 1e-3)

    callback = ZerosumCallback(PROBE, **SETTINGS)
    runner = Trainer(
        max_steps=STEP + 1, max_epochs=-1, accumulate_grad_batches=MICRO, accelerator="cpu", logger=False,
        callbacks=[callback], enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
        default_root_dir=folder, gradient_clip_val=CLIP,
    )  # fmt: skip
    data = [{"input_ids": row, "labels": labels} for row, labels in zip(DATA, LABELS, strict=True)]
    runner.fit(Module(), torch.utils.data.DataLoader(data, batch_size=ROWS))
    return callback.monitor, *of_the_step(seen)


def accelerate(folder: Path, recipe: Recipe) -> tuple[Any, Any, list[Any]]:
    """All but the last micro-batch: the loop may clip between its backward pass and `monitor.step`."""
    from accelerate import Accelerator

    seen: Seen = []
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=MICRO)
    model = watched_model(seen)
    model, optimizer = accelerator.prepare(model, torch.optim.AdamW(model.parameters(), 1e-3))
    monitor = zerosum.Monitor(model, PROBE, optimizer=optimizer, **SETTINGS).prepare(accelerator)
    for k in range(MICRO * (STEP + 1)):
        rows = slice(k * ROWS, (k + 1) * ROWS)
        with accelerator.accumulate(model):
            batch = {"input_ids": DATA[rows], "labels": torch.stack(LABELS[rows])}
            accelerator.backward(model(**batch).loss)
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(model.parameters(), CLIP)
            with monitor.step(k // MICRO, batch=batch):
                optimizer.step()
            optimizer.zero_grad()
    model, batches = of_the_step(seen)
    return monitor, model, batches[:-1]


def own_loop(folder: Path, recipe: Recipe) -> tuple[Any, Any, list[Any]]:
    from zerosum.monitor.own_loop import MonitorCallback
    from zerosum.training import train

    recipe = Recipe.model_validate(
        recipe.model_dump() | {"batch": {"sequences": 8, "length": 8, "passes": MICRO}, "steps": STEP + 1}
    )
    callback = MonitorCallback(recipe.data.open().held_out(24, 8), **SETTINGS)
    train(recipe, folder / "run", callbacks=(callback,))
    (before,) = [checkpoint for checkpoint in open_run(folder / "run").checkpoints if checkpoint.step == STEP]
    ids = torch.as_tensor(batch_of_recipe(recipe, STEP).ids)
    return callback.monitor, load_model(before), [(part, part) for part in ids.split(3)]


HOSTS: dict[str, Callable[..., Any]] = {
    "Trainer": trainer,
    "Lightning": lightning,
    "accelerate": accelerate,
    "own loop": own_loop,
}


def gradient(model: Any, ids: torch.Tensor, labels: torch.Tensor) -> tuple[np.ndarray, int]:
    """The sum of the gradients of the predicted tokens, and their number."""
    model.zero_grad()
    logits, expected = model(input_ids=ids).logits[:, :-1], labels[:, 1:]
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), expected.flatten(), reduction="sum").backward()
    own = [parameter.tensor.grad.flatten() for parameter in in_D_grad(trainable(model))]
    return torch.cat(own).double().numpy(), int((expected != -100).sum())


@pytest.mark.parametrize("host", HOSTS)
def test_micro_batches_are_those_of_the_step(host: str, tmp_path: Path, recipe: Recipe) -> None:
    monitor, model, batches = HOSTS[host](tmp_path, recipe)
    gradients, tokens = zip(*(gradient(model, *batch) for batch in batches), strict=True)
    G, n = np.stack(gradients), np.array(tokens)
    assert (len(set(tokens)) > 1) or host == "own loop"
    products, lengths = G @ G.T, np.linalg.norm(G, axis=1)
    pairs = list(combinations(range(len(G)), 2))
    noise = monitor.latest.noise
    assert n.sum() == noise.N
    cosines = [products[a, b] / lengths[a] / lengths[b] for a, b in pairs]
    assert noise.mean_cosine == pytest.approx(np.mean(cosines), abs=1e-4)
    assert noise.conflict_rate == np.mean([products[a, b] < 0 for a, b in pairs])
    square = 2 * sum(products[a, b] for a, b in pairs) / (n.sum() ** 2 - (n**2).sum())
    trace = ((lengths**2).sum() - (n**2).sum() * square) / n.sum()
    assert square > 0 < trace
    assert noise.noise_scale == pytest.approx(trace / square, rel=0.02)  # from sketches, where token counts differ
    assert monitor.latest.gradients is not None


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("tokens", "factor", "is_measured", "in_tokens"),
    [
        ([24, 24, 24], 1.0, True, True),
        ([None, 24, 24], 1.0, True, False),
        ([0, 24, 24], 0.0, True, True),  # nothing to predict in the first
        ([0, 0, 0], 1.0, True, False),
        ([24, 24, 24], float("inf"), False, False),  # an overflow in half precision
        ([24, 24, 24], float("nan"), False, False),
    ],
)
def test_odd_micro_batches_end_nothing(
    tokens: list[int | None], factor: float, is_measured: bool, in_tokens: bool
) -> None:
    model, told = tiny_model(), []
    monitor = zerosum.Monitor(model, PROBE, schedule=[0], cost="full", tell=told.append)
    for k, ids in enumerate(DATA[:6].split(2)):
        model(input_ids=ids, labels=ids).loss.backward()
        if k == 0:
            for parameter in model.parameters():
                parameter.grad.mul_(factor)
        monitor.micro_batch(0, tokens[k])
    with monitor.step(0), torch.no_grad():
        next(model.parameters()).add_(0.1)
    assert told == []
    assert monitor.latest is not None
    assert (monitor.latest.noise is not None) == is_measured
    assert ("zerosum/micro_cosine" in monitor.latest.values()) == is_measured
    if monitor.latest.noise is not None:
        assert (monitor.latest.noise.reasons["noise_scale"] != NO_TOKENS) == in_tokens


def test_what_a_batch_predicts() -> None:
    ids = torch.arange(12).reshape(2, 6)
    mask = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]])
    for batch, expected in (
        (ids, 10),
        ([ids, "labels"], 10),
        ({"input_ids": ids}, 10),
        ({"input_ids": ids, "attention_mask": mask}, 7),
        ({"input_ids": ids, "labels": ids.masked_fill(mask == 0, -100)}, 7),
        ({"pixels": ids.float()}, None),
        (ids.float(), None),
        ([], None),
        (None, None),
        ("text", None),
    ):
        assert predicted_tokens(batch) == expected
        assert (ids_of(batch) is None) == (expected is None)
    masked = ids_of({"input_ids": ids, "attention_mask": mask})
    assert masked is not None
    assert masked[1].tolist() == [6, 7, 8, -1, -1, -1]
