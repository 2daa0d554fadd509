"""In a loop of accelerate with accumulated gradients: nothing changes, and states continue with its checkpoints."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from loops import DATA, PROBE, TROUBLE_STEPS, assert_trouble_is_told_once, batch_of, model_with_dropout, trouble

import zerosum


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


def test_trouble_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    loop = Loop(lr=0.0, probe=DATA)
    loop.change = trouble
    loop.run(0, TROUBLE_STEPS)
    assert loop.monitor
    loop.monitor.close()
    assert_trouble_is_told_once(caplog, loop.logged)
