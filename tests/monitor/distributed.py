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
from loops import PROBE, ROWS, batch_of, model_with_dropout
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
    """A way to train. like: the way without a monitor that ends with the same weights. settings: of the monitor."""

    wrap: Wrap | None  # None: accelerate wraps
    like: str
    settings: dict[str, Any] | None = None
    tokens: Any = field(default_factory=lambda: PROBE)


WAYS = {
    "ddp": Way(DistributedDataParallel, "ddp"),
    "ddp, watched": Way(DistributedDataParallel, "ddp", {}),
    "accelerate": Way(None, "accelerate"),
    "accelerate, watched": Way(None, "accelerate", {}),
    "fsdp": Way(shared, "fsdp"),
    "fsdp, watched": Way(shared, "fsdp", {}),
    "fsdp, at a limited cost": Way(shared, "fsdp", {"cost": "business"}),
    "fsdp, more asked": Way(shared, "fsdp", {"average": "ema:0.9", "gradients": "sampled"}),
    "fsdp, foreign tokens": Way(shared, "fsdp", {}, PROBE + VOCABULARY),
    "fsdp, failing": Way(shared_and_failing, "fsdp", {}),
}


def train_each(folder: Path) -> None:
    """Train in each way; write what is left into files."""
    torch.distributed.init_process_group("gloo")
    rank = int(os.environ["RANK"])
    for name, way in WAYS.items():
        (folder / name).mkdir(exist_ok=True)
        _train(folder / name, rank, way)
    torch.distributed.destroy_process_group()


def _train(folder: Path, rank: int, way: Way) -> None:
    accelerator = Accelerator(cpu=True) if way.wrap is None else None
    model = (way.wrap or accelerator.prepare)(model_with_dropout())
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    torch.manual_seed(rank)
    told: list[str] = []
    options = {"cost": "full", "log": folder / f"log-{rank}.jsonl", "tell": told.append}
    monitor = None if way.settings is None else zerosum.Monitor(model, way.tokens, **(options | way.settings))
    if monitor and accelerator:
        monitor.prepare(accelerator)
    weights = {}
    for step in range(STEPS):
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
