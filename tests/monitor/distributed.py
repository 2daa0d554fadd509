"""Training in one of several connected processes, which have whole weights (DDP) or share them (fully_shard)."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from loops import DATA, PROBE, ROWS, batch_of, model_with_dropout
from tiny import VOCABULARY
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

import zerosum
from zerosum.training import Callback, train
from zerosum.training.recipe import Recipe

STEPS = 9
Wrap = Callable[[Any], Any]


def shared(model: Any) -> Any:
    """As torch's tutorial shares weights: those of the embeddings stay whole between a forward and a backward pass."""
    for layer in model.model.layers:
        fully_shard(layer)
    fully_shard(model)
    assert all(isinstance(parameter, DTensor) for parameter in model.parameters())
    return model


def shared_and_failing(model: Any) -> Any:
    """Its sixth evaluation fails in the middle of a forward pass, in every process."""
    passes = []

    def fail(layer: Any, *_: Any) -> None:
        passes.append(layer.training)
        if not layer.training and passes.count(False) == 6:
            raise RuntimeError("out of luck")

    model = shared(model)
    model.model.layers[0].mlp.register_forward_pre_hook(fail)
    return model


@dataclass(frozen=True)
class Way:
    """A way to train. like: the way without a monitor that ends with the same weights. settings: of the monitor.

    stop_at: after so many updates the state is saved, and a new model with a new monitor continues from it.
    """

    wrap: Wrap | None  # None: accelerate wraps
    like: str
    settings: dict[str, Any] | None = None
    tokens: Any = field(default_factory=lambda: PROBE)
    stop_at: int = STEPS


WAYS = {
    "ddp": Way(DistributedDataParallel, "ddp"),
    "ddp, watched": Way(DistributedDataParallel, "ddp", {}),
    "accelerate": Way(None, "accelerate"),
    "accelerate, watched": Way(None, "accelerate", {}),
    "accelerate, stopped": Way(None, "accelerate", {}, stop_at=5),
    "fsdp": Way(shared, "fsdp"),
    "fsdp, watched": Way(shared, "fsdp", {}),
    "fsdp, at a limited cost": Way(shared, "fsdp", {"cost": "business"}),
    "fsdp, more asked": Way(shared, "fsdp", {"average": "ema:0.9", "gradients": "sampled"}),
    "fsdp, foreign tokens": Way(shared, "fsdp", {}, PROBE + VOCABULARY),
    "fsdp, failing": Way(shared_and_failing, "fsdp", {}),
}


TRAINERS = {"Trainer": (5,), "Trainer, stopped": (3, 5)}
"""Runs of Hugging Face's Trainer, and after how many updates each of their sittings ends."""


def train_each(folder: Path) -> None:
    """Train in each way; write what is left into files."""
    torch.distributed.init_process_group("gloo")
    rank = int(os.environ["RANK"])
    for name, way in WAYS.items():
        (folder / name).mkdir(exist_ok=True)
        _train(folder / name, rank, way)
    for name, lasts in TRAINERS.items():
        for last in lasts:
            _train_with_trainer(folder / name, rank, last)
    torch.distributed.destroy_process_group()


def _begin(folder: Path, rank: int, way: Way, told: list[str]) -> tuple[Any, Any, Any, Any]:
    accelerator = Accelerator(cpu=True) if way.wrap is None else None
    model = (way.wrap or (lambda plain: plain))(model_with_dropout())
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    if accelerator:
        model, optimizer = accelerator.prepare(model, optimizer)
    options = {"cost": "full", "log": folder / f"log-{rank}.jsonl", "tell": told.append}
    monitor = None if way.settings is None else zerosum.Monitor(model, way.tokens, **(options | way.settings))
    if monitor and accelerator:
        monitor.prepare(accelerator)
    return accelerator, model, optimizer, monitor


def _train(folder: Path, rank: int, way: Way) -> None:
    told: list[str] = []
    accelerator, model, optimizer, monitor = _begin(folder, rank, way, told)
    torch.manual_seed(rank)
    weights = {}
    for step in range(STEPS):
        if step == way.stop_at:
            accelerator.save_state(str(folder / "state"))
            accelerator, model, optimizer, monitor = _begin(folder, rank, way, told)
            accelerator.load_state(str(folder / "state"))
        weights[f"weights-{step}"] = _flat(model.parameters(), whole=True)
        ids = batch_of(step)[rank * ROWS // 2 : (rank + 1) * ROWS // 2]
        model(input_ids=ids, labels=ids).loss.backward()
        if monitor:
            with monitor.step(step, batch=ids):
                optimizer.step()
        else:
            optimizer.step()
        optimizer.zero_grad()
    weights[f"weights-{STEPS}"] = _flat(model.parameters(), whole=True)
    moments = [value for state in optimizer.state.values() for value in state.values()]
    np.savez(
        folder / f"{rank}.npz",
        **weights,
        last=_flat(model.parameters()),
        moments=_flat(moments),
        generator=torch.get_rng_state().numpy(),
    )
    (folder / f"told-{rank}").write_text("\n".join(told))


def _train_with_trainer(folder: Path, rank: int, last: int) -> None:
    from transformers import Trainer, TrainingArguments

    from zerosum.monitor.huggingface import ZerosumCallback

    arguments = TrainingArguments(
        str(folder), max_steps=last, per_device_train_batch_size=4, save_steps=3, logging_steps=1, report_to=[],
        disable_tqdm=True, use_cpu=True, learning_rate=1e-2, lr_scheduler_type="constant", seed=3,
    )  # fmt: skip
    callback = ZerosumCallback(PROBE, cost="full", total_steps=5, log=folder / f"log-{rank}.jsonl")
    data = [{"input_ids": row, "labels": row} for row in DATA]
    trainer = Trainer(model_with_dropout(), arguments, train_dataset=data, callbacks=[callback])
    trainer.train(resume_from_checkpoint=(folder / "checkpoint-3").is_dir())
    np.savez(folder / f"{rank}.npz", last=_flat(trainer.model.parameters()), generator=torch.get_rng_state().numpy())


def _flat(tensors: Any, *, whole: bool = False) -> Any:
    """All numbers, of shared tensors those of this process or, by passing them around, all."""
    tensors = [tensor.detach() for tensor in tensors]
    parts = [(tensor.full_tensor() if whole else tensor.to_local()) if isinstance(tensor, DTensor) else tensor
             for tensor in tensors]  # fmt: skip
    return torch.cat([part.flatten() for part in parts]).numpy()


def train_ours(runs: Sequence[tuple[Recipe, Path, tuple[Callback, ...]]]) -> None:
    """Train runs of our own loop, one after the other; a run whose callbacks end it is continued."""
    for recipe, run, callbacks in runs:
        with suppress(KeyboardInterrupt):
            train(recipe, run, callbacks=callbacks)
        train(recipe, run, callbacks=callbacks)
