"""In a loop of accelerate with accumulated gradients: nothing changes, and states continue with its checkpoints."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from loops import DATA, PROBE, TROUBLE_STEPS, assert_trouble_is_told_once, batch_of, model_with_dropout, trouble

import zerosum
from zerosum.losses import token_losses


class Loop:
    """AdamW on two batches for each update; rows: what was logged, by step."""

    def __init__(self, monitored: bool = True, lr: float = 1e-2, probe: Any = PROBE) -> None:
        self.accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
        model = model_with_dropout()
        self.model, self.optimizer = self.accelerator.prepare(model, torch.optim.AdamW(model.parameters(), lr))
        self.rows: dict[int, dict[str, float]] = {}
        self.logged: list[dict[str, float]] = []
        self.monitor = None
        if monitored:
            self.accelerator.log = self.log
            self.monitor = zerosum.Monitor(self.model, probe, cost="full", optimizer=self.optimizer)
            assert self.monitor.prepare(self.accelerator) is self.monitor
        self.change: Callable[[int, Any], Any] = lambda step, loss: loss
        torch.manual_seed(2)

    def log(self, values: dict[str, float], step: int) -> None:
        self.logged.append(values)
        self.rows[step] = values

    def run(self, first: int, last: int) -> None:
        for step in range(first, last):
            for part in (0, 1):
                ids = batch_of(2 * step + part)
                with self.accelerator.accumulate(self.model):
                    loss = self.change(step, self.model(input_ids=ids, labels=ids).loss)
                    self.accelerator.backward(loss)
                    if self.monitor:
                        with self.monitor.step(step, loss=loss, batch=ids):
                            self.optimizer.step()
                    else:
                        self.optimizer.step()
                    self.optimizer.zero_grad()

    def everything(self) -> list[torch.Tensor]:
        moments = [value for state in self.optimizer.state.values() for value in state.values()]
        return [*(value.detach() for value in self.model.parameters()), *moments, torch.get_rng_state()]

    def values(self) -> list[dict[str, float]]:
        return [{name: value for name, value in row.items() if name != "zerosum/cost"} for row in self.rows.values()]


@pytest.fixture(scope="module")
def whole() -> tuple[Loop, list[Any]]:
    loop = Loop()
    loop.run(0, 5)
    return loop, loop.everything()


def test_nothing_changes(whole: tuple[Loop, list[Any]]) -> None:
    loop = Loop(monitored=False)
    loop.run(0, 5)
    assert all(torch.equal(one, other) for one, other in zip(loop.everything(), whole[1], strict=True))
    assert list(whole[0].rows) == [1, 2, 4]


def test_a_saved_state_continues(whole: tuple[Loop, list[Any]], tmp_path: Path) -> None:
    first = Loop()
    first.run(0, 3)
    first.accelerator.save_state(str(tmp_path))
    second = Loop()
    second.accelerator.load_state(str(tmp_path))
    second.run(3, 5)
    assert first.values() + second.values() == whole[0].values()
    assert all(torch.equal(one, other) for one, other in zip(second.everything(), whole[1], strict=True))


@pytest.fixture
def fresh_accelerate() -> Iterator[None]:
    """accelerate has one precision in a process."""
    AcceleratorState._reset_state()
    yield
    AcceleratorState._reset_state()


@pytest.mark.usefixtures("fresh_accelerate")
def test_mixed_precision_is_measured_in_that_of_the_weights() -> None:
    accelerator = Accelerator(cpu=True, mixed_precision="bf16")
    model = model_with_dropout()
    model, optimizer = accelerator.prepare(model, torch.optim.AdamW(model.parameters(), 1e-2))
    wrapped = model.forward
    told: list[str] = []
    settings = {"schedule": [1], "cost": "full", "gradients": "sampled", "total_steps": 2, "tell": told.append}
    monitor = zerosum.Monitor(model, PROBE, **settings).prepare(accelerator)
    for step in range(2):
        ids = batch_of(step)
        accelerator.backward(model(input_ids=ids, labels=ids).loss)
        twin = model_with_dropout()
        twin.load_state_dict(model.state_dict())
        with monitor.step(step):
            optimizer.step()
        optimizer.zero_grad()
    assert model.forward is wrapped
    assert told == []
    assert monitor.latest is not None
    assert monitor.latest.loss == pytest.approx(token_losses(twin, PROBE).mean(dtype=float), abs=1e-6)
    assert monitor.latest.gradients is not None
    assert monitor.latest.values()["zerosum/total_steps"] == 2


def test_trouble_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    loop = Loop(lr=0.0, probe=DATA)
    loop.change = trouble
    loop.run(0, TROUBLE_STEPS)
    assert loop.monitor
    loop.monitor.close()
    assert_trouble_is_told_once(caplog, loop.logged)
