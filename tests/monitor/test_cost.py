"""The cost of the monitor stays below its preset, by a clock that the test moves."""

from typing import Any

import numpy as np
import pytest
from loops import batch_of, model_with_dropout
from tiny import VOCABULARY

import zerosum
from zerosum.losses import ModelLosses
from zerosum.monitor import cost, probe, scheduled_steps
from zerosum.monitor.cost import PRESETS


class Clock:
    """Seconds that pass only in forward passes of the probe, and in training."""

    def __init__(self) -> None:
        self.now = 1000.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (cost, probe, scheduled_steps):
        monkeypatch.setattr(module, "time", clock)
    return clock


def watched(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, preset: str, per_row: float
) -> tuple[dict[int, tuple[int, float]], list[str]]:
    """Step -> sequences measured and cost logged, of 2,048 updates of a second each; what was told."""
    losses = np.random.default_rng(0).normal(3, 1, (64, 12)).astype(np.float32)

    def slow(self: Any, ids: Any) -> Any:
        clock.now += per_row * len(ids)
        losses[...] -= 0.01 * losses**2
        return losses[: len(ids)].copy()

    monkeypatch.setattr(ModelLosses, "__call__", slow)
    told: list[str] = []
    tokens = np.random.default_rng(0).integers(0, VOCABULARY, (64, 13))
    monitor = zerosum.Monitor(model_with_dropout(), tokens, cost=preset, tell=told.append)
    measured = {}
    for step in range(2049):
        with monitor.step(step):
            clock.now += 1.0
        if monitor.latest and monitor.latest.step == step:
            measured[step] = monitor.latest.sequences[0], monitor.latest.cost
    return measured, told


@pytest.mark.parametrize("preset", ["economy", "business"])
@pytest.mark.parametrize("per_row", [0.001, 0.03])
def test_the_cost_stays_below_the_preset(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, preset: str, per_row: float
) -> None:
    measured, told = watched(clock, monkeypatch, preset, per_row)
    assert measured
    assert all(share <= PRESETS[preset] for _, share in measured.values())
    rows = [number for number, _ in measured.values()]
    assert min(rows) >= 20
    if per_row == 0.001:
        assert rows[-1] == 64
    steps = list(measured)
    assert steps == [2**k for k in range(12) if 2**k >= steps[0]] or per_row == 0.03
    assert sum("left out" in line for line in told) == 1
    assert len(told) == len(set(told)) <= 2


def test_full_measures_everything(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    measured, told = watched(clock, monkeypatch, "full", 0.03)
    assert list(measured) == [2**k for k in range(12)]
    assert {number for number, _ in measured.values()} == {64}
    assert told == []


def test_a_pause_between_two_sittings_is_nobodys_time(clock: Clock) -> None:
    model, tokens = model_with_dropout(), batch_of(0)
    first, second = (zerosum.Monitor(model, tokens, cost="economy") for _ in range(2))
    for step in range(3):
        with first.step(step):
            clock.now += 1.0
    clock.now += 1000.0
    second.load_state_dict(first.state_dict())
    clock.now += 1000.0
    for step in range(3, 5):
        with second.step(step):
            clock.now += 1.0
    assert second.state_dict()["cost"]["trained"] == pytest.approx(5.0)


def test_a_fit_too_dear_is_left_out_and_told(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduled_steps, "seconds_of_fit", lambda: 100.0)
    told: list[str] = []
    monitor = zerosum.Monitor(model_with_dropout(), batch_of(0), schedule=[300], cost="economy", tell=told.append)
    for step in range(301):
        with monitor.step(step, loss=3.0):
            clock.now += 1.0
    assert monitor.latest is not None
    assert monitor.latest.fit is None
    assert any("not fitted before about step 10," in line for line in told)
