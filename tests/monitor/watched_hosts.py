"""Runs of a model with dropout in every host, with and without the monitor: all that is left of each, as arrays."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from loops import DATA, PROBE, ROWS, batch_of, model_with_dropout
from safetensors.torch import load_file
from tiny_recipe import tiny_recipe
from torch.nn.parallel import DistributedDataParallel

import zerosum
from zerosum.monitor.own_loop import MonitorCallback
from zerosum.training import train
from zerosum.training.recipe import Recipe

RATE = 1e-3


def settings(parts: int) -> dict[str, Any]:
    """Of the monitor. Where gradients are accumulated, those of the micro-batches are asked for, too."""
    return {"cost": "full"} | ({"gradients": "sampled"} if parts > 1 else {})


Left = dict[str, np.ndarray]


def what_is_left(model: Any, optimizer: Any) -> Left:
    """Weights, optimizer state and generators."""
    moments = [value for state in optimizer.state.values() for value in state.values()]
    tensors = {"weights": model.parameters(), "moments": moments}
    flat = {name: torch.cat([one.detach().flatten() for one in these]).numpy() for name, these in tensors.items()}
    state = np.random.get_state()[1]  # noqa: NPY002
    return flat | {"torch": torch.get_rng_state().numpy(), "numpy": np.asarray(state)}


def own_rows(update: int, part: int, parts: int) -> torch.Tensor:
    """Sequences of a pass of an update, those of this process."""
    ids, number = batch_of(update), int(os.environ.get("WORLD_SIZE", 1)) * parts
    place = int(os.environ.get("RANK", 0)) * parts + part
    return ids[place * ROWS // number : (place + 1) * ROWS // number]


def plain(folder: Path, steps: int, monitored: bool, parts: int, compiled: bool) -> Left:
    """A loop of torch; with other processes, under DDP."""
    model: Any = model_with_dropout()
    if torch.distributed.is_initialized():
        model = DistributedDataParallel(model)
    optimizer = torch.optim.AdamW(model.parameters(), RATE)
    called = torch.compile(model) if compiled else model
    monitor = zerosum.Monitor(called, PROBE, optimizer=optimizer, **settings(parts)) if monitored else None
    for step in range(steps):
        for part in range(parts):
            ids = own_rows(step, part, parts)
            loss = called(input_ids=ids, labels=ids).loss / parts
            loss.backward()
            if monitor and monitor.takes_micro_batches(step):
                monitor.micro_batch(step, ids[:, 1:].numel())
        if monitor:
            with monitor.step(step, loss=loss, batch=ids):
                optimizer.step()
        else:
            optimizer.step()
        optimizer.zero_grad()
    require(monitored, monitor)
    return what_is_left(model, optimizer)


def accelerate(folder: Path, steps: int, monitored: bool, parts: int, compiled: bool) -> Left:
    """A loop of accelerate."""
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=parts)
    model = model_with_dropout()
    model, optimizer = accelerator.prepare(model, torch.optim.AdamW(model.parameters(), RATE))
    called = torch.compile(model) if compiled else model
    monitor = None
    if monitored:
        monitor = zerosum.Monitor(called, PROBE, optimizer=optimizer, **settings(parts)).prepare(accelerator)
    for step in range(steps):
        for part in range(parts):
            ids = own_rows(step, part, parts)
            with accelerator.accumulate(model):
                accelerator.backward(called(input_ids=ids, labels=ids).loss)
                if monitor:
                    with monitor.step(step, batch=ids):
                        optimizer.step()
                else:
                    optimizer.step()
                optimizer.zero_grad()
    require(monitored, monitor)
    return what_is_left(model, optimizer.optimizer)


def trainer(folder: Path, steps: int, monitored: bool, parts: int, compiled: bool) -> Left:
    """Hugging Face's Trainer."""
    from transformers import Trainer, TrainingArguments

    from zerosum.monitor.huggingface import ZerosumCallback

    arguments = TrainingArguments(
        str(folder), max_steps=steps, per_device_train_batch_size=4, gradient_accumulation_steps=parts, seed=3,
        save_strategy="no", logging_steps=5, report_to=[], disable_tqdm=True, use_cpu=True, learning_rate=RATE,
        torch_compile=compiled,
    )  # fmt: skip
    data = [{"input_ids": row, "labels": row} for row in DATA]
    callback = ZerosumCallback(PROBE, **settings(parts))
    runner = Trainer(model_with_dropout(), arguments, train_dataset=data, callbacks=[callback] if monitored else [])
    runner.train()
    require(monitored, callback.monitor)
    return what_is_left(runner.model, runner.optimizer.optimizer)


def lightning(folder: Path, steps: int, monitored: bool, parts: int, compiled: bool) -> Left:
    """Lightning."""
    from lightning.pytorch import LightningModule, Trainer

    from zerosum.monitor.lightning import ZerosumCallback

    class Module(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = model_with_dropout()

        def training_step(self, batch: torch.Tensor) -> Any:
            return self.model(input_ids=batch, labels=batch).loss

        def configure_optimizers(self) -> Any:
            return torch.optim.AdamW(self.parameters(), RATE)

    callback = ZerosumCallback(PROBE, **settings(parts))
    runner = Trainer(
        max_steps=steps, max_epochs=-1, accumulate_grad_batches=parts, accelerator="cpu", logger=False,
        callbacks=[callback] if monitored else [], enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False, default_root_dir=folder,
    )  # fmt: skip
    module: Any = Module()
    if compiled:
        module = torch.compile(module)
    torch.manual_seed(1)
    runner.fit(module, torch.utils.data.DataLoader(DATA, batch_size=4))
    require(monitored, callback.monitor)
    return what_is_left(runner.lightning_module, runner.optimizers[0])


def own_loop(folder: Path, steps: int, monitored: bool, parts: int, compiled: bool) -> Left:
    """Our own loop."""
    tiny = tiny_recipe(folder.parent / "corpus").model_dump()
    recipe = Recipe.model_validate(
        tiny
        | {"model": tiny["model"] | {"attention_dropout": 0.2}, "steps": steps, "resume_every": steps}
        | {"batch": {"sequences": 8, "length": 8, "passes": parts}, "compile": compiled}
    )
    callback = MonitorCallback(recipe.data.open().held_out(24, 8), **settings(parts))
    train(recipe, folder, callbacks=(callback,) if monitored else ())
    if int(os.environ.get("RANK", 0)):
        return {}
    require(monitored, callback.monitor)
    last = folder / f"checkpoint-{steps}"
    state = torch.load(last / "training_state.pt", weights_only=True)
    moments = [one.flatten() for of in state["optimizer"]["state"].values() for one in of.values() if one.ndim]
    weights = [one.flatten() for one in load_file(last / "model.safetensors").values()]
    generators = [one.numpy().ravel() for one in state["generators"].values()]
    return {
        "weights": torch.cat(weights).numpy(),
        "moments": torch.cat(moments).numpy(),
        "torch": np.concatenate(generators),
    }


def require(monitored: bool, monitor: zerosum.Monitor | None) -> None:
    """A run with the monitor was measured, in the main process."""
    if monitored and not int(os.environ.get("RANK", 0)):
        assert monitor is not None
        assert monitor.latest is not None


HOSTS = {"plain": plain, "accelerate": accelerate, "trainer": trainer, "lightning": lightning, "own loop": own_loop}


def run_both(host: str, folder: Path, steps: int, parts: int, compiled: bool) -> None:
    """Train without and with the monitor in this process, which may be one of several; write what is left."""
    from transformers.utils import logging as of_transformers

    of_transformers.set_verbosity_error()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with connected():
        for monitored in (False, True):
            torch.manual_seed(int(os.environ.get("RANK", 0)))
            np.random.seed(0)  # noqa: NPY002
            run = folder / str(monitored)
            left = HOSTS[host](run, steps, monitored, parts, compiled)
            np.savez(folder / f"{monitored}-{os.environ.get('RANK', 0)}.npz", **left)


@contextmanager
def connected() -> Iterator[None]:
    """With the other processes of its group, if it has one."""
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield
        return
    torch.distributed.init_process_group("gloo")
    yield
    torch.distributed.destroy_process_group()
