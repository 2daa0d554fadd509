"""Stores of all three measurements whose files are damaged one bit at a time: every flip has to be found."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from flips import flipped
from tiny import save_run, tiny_model

import zerosum
from zerosum.checkpoints import open_run
from zerosum.dissent import read_dissent
from zerosum.dissent.run import RunMeasurement as DissentOfRun
from zerosum.errors import Damaged
from zerosum.gradients import read_gradients
from zerosum.gradients.run import Choice, RunMeasurement, SameTokens
from zerosum.losses import measure_losses
from zerosum.tokens import TokenSequences

READ: dict[str, Callable[[Path], Any]] = {
    "losses.zarr": lambda store: zerosum.open_store(store).load(),
    "gradients.zarr": lambda store: (read_gradients(store), zerosum.gradients.open_gradients(store).load()),
    "dissent": read_dissent,
}


def measured_stores(folder: Path) -> Path:
    """Measure the losses, gradients and dissent of a tiny run of two checkpoints into `folder`; returns it."""
    run = open_run(save_run(folder / "run", (1, 2)))
    ids = np.random.default_rng(0).integers(0, tiny_model().config.vocab_size, (4, 6))
    tokens = TokenSequences(ids, np.arange(4), ("a", "b", "c", "d"))
    stores = folder / "stores"
    measure_losses(stores / "losses.zarr", run.checkpoints, tokens)
    same = SameTokens(lambda path, config: tokens)
    gradients = RunMeasurement(run, stores / "gradients.zarr", same, Choice("exact", 256, 0, 10.0, "auto"))
    dissent = DissentOfRun(run, stores / "dissent", same)
    for checkpoint in run.checkpoints:
        gradients.measure(checkpoint)
        dissent.measure(checkpoint)
    return stores


def missed(stores: Path, name: str, number: int, seed: int = 0) -> Iterator[str]:
    """Files of a store of which a flipped bit is not found and named. number: of flips; every file has one at least."""
    for file in flipped(stores / name, number, seed):
        try:
            READ[name](stores / name)
        except Damaged as error:
            if error.what.split()[0] in file.relative_to(stores).as_posix():
                continue
        yield file.relative_to(stores).as_posix()
