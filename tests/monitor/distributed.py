"""Data-parallel training in one of several connected processes."""

import os
from pathlib import Path

import numpy as np
import torch
from loops import PROBE, ROWS, batch_of, model_with_dropout
from torch.nn.parallel import DistributedDataParallel

import zerosum

STEPS = 9


def train_twice(folder: Path) -> None:
    """Train without and with the monitor; write weights and generator of this process."""
    torch.distributed.init_process_group("gloo")
    for monitored in (False, True):
        _train(folder, int(os.environ["RANK"]), monitored)
    torch.distributed.destroy_process_group()


def _train(folder: Path, rank: int, monitored: bool) -> None:
    model = model_with_dropout()
    parallel = DistributedDataParallel(model)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    torch.manual_seed(rank)
    log = folder / f"log-{rank}.jsonl"
    monitor = zerosum.Monitor(parallel, PROBE, cost="full", log=log) if monitored else None
    for step in range(STEPS):
        ids = batch_of(step)[rank * ROWS // 2 : (rank + 1) * ROWS // 2]
        parallel(input_ids=ids, labels=ids).loss.backward()
        if monitor:
            with monitor.step(step):
                optimizer.step()
        else:
            optimizer.step()
        optimizer.zero_grad()
    weights = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    np.savez(folder / f"{monitored}-{rank}.npz", weights=weights.numpy(), generator=torch.get_rng_state().numpy())
