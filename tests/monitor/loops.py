"""A plain training loop on a tiny model with dropout, with and without the monitor."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from tiny import VOCABULARY, tiny_model

import zerosum

RNG = np.random.default_rng(0)
DATA = torch.as_tensor(RNG.integers(0, VOCABULARY, (64, 13)))
PROBE = RNG.integers(0, VOCABULARY, (24, 13))
ROWS = 8


def model_with_dropout() -> Any:
    return tiny_model(attention_dropout=0.2).train()


def batch_of(step: int) -> torch.Tensor:
    return DATA[torch.arange(ROWS * step, ROWS * (step + 1)) % len(DATA)]


@dataclass
class Run:
    """What is left of a run. losses: of each update."""

    model: Any
    optimizer: Any
    monitor: zerosum.Monitor | None
    losses: list[float] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def everything(self) -> list[torch.Tensor]:
        """Weights, optimizer state, losses and random generators."""
        moments = [value for state in self.optimizer.state.values() for value in state.values()]
        tensors = [value.detach() for value in (*self.model.parameters(), *self.model.buffers(), *moments)]
        numpy_state = torch.from_numpy(np.random.get_state()[1].astype(np.int64))  # noqa: NPY002
        return [*tensors, torch.tensor(self.losses), torch.get_rng_state(), numpy_state]


def plain_run(steps: int = 24, *, monitored: bool = True, wrap: Any = lambda model: model, **settings: Any) -> Run:
    """A run of AdamW on batches in turn."""
    model = model_with_dropout()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    run = Run(model, optimizer, None)
    if monitored:
        options = {"cost": "full", "optimizer": optimizer, "tell": run.told.append} | settings
        run.monitor = zerosum.Monitor(wrap(model), PROBE, **options)
    continue_run(run, 0, steps)
    return run


def continue_run(run: Run, first: int, last: int) -> None:
    for step in range(first, last):
        ids = batch_of(step)
        loss = run.model(input_ids=ids, labels=ids).loss
        loss.backward()
        run.losses.append(loss.item())
        if run.monitor:
            with run.monitor.step(step, loss=loss, batch=ids):
                run.optimizer.step()
        else:
            run.optimizer.step()
        run.optimizer.zero_grad()


def same(a: Run, b: Run) -> bool:
    pairs = zip(a.everything(), b.everything(), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


TROUBLE_STEPS = 40
TROUBLE = {  # a part of what is told once by a run with `trouble`, a learning rate of 0, and its own data as the probe
    "probe-in-batch": "held-out sequences share",
    "rate-zero": "the learning rate is 0",
    "unchanged": "the update changed no loss",
    "loss-multiplied": "is 4 times the measured",
    "spike": "the loss jumped to ",
    "loss-not-finite": "the training loss is nan",
}


def trouble(update: int, loss: Any) -> Any:
    """The loss of an update, added up over four batches, with a spike and one that is not a number."""
    return loss * {34: 40.0, 37: float("nan")}.get(update, 4.0)


def told_of(caplog: Any) -> list[str]:
    """What the logger of the monitor received."""
    return [record.getMessage() for record in caplog.records if record.name == "zerosum.monitor"]


def assert_trouble_is_told_once(caplog: Any, logged: Iterable[Mapping[str, Any]], *, each: bool = True) -> None:
    """logged: the rows of the host's logger, which counts what is told. each: whether there is a row for each sign."""
    told = told_of(caplog)
    assert [sum(words in line for line in told) for words in TROUBLE.values()] == [1] * len(TROUBLE), told
    assert len(told) == len(TROUBLE), told
    counts = [float(row["zerosum/warnings"]) for row in logged if row.get("zerosum/warnings")]
    assert counts == sorted(counts)
    assert set(counts) == set(range(1, len(TROUBLE) + 1)) if each else counts[-1] == len(TROUBLE)
