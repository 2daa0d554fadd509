"""The cost of the monitor stays below its preset, by a clock that the test moves."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from loops import batch_of, model_with_dropout
from tiny import VOCABULARY, loss_at

import zerosum
from zerosum.losses import ModelLosses
from zerosum.monitor import cost, scheduled_steps
from zerosum.monitor.cost import PRESETS, RESERVE, Cost
from zerosum.monitor.micro_steps import MicroBatch, MicroSteps
from zerosum.monitor.running_verdict import RunningVerdict
from zerosum.monitor.sizes import SHORTEST, pass_seconds, sizes

STEPS = 1024
TOKENS = np.random.default_rng(0).integers(0, VOCABULARY, (64, 33))


class Clock:
    """Seconds that pass only in forward passes, in fits, and in training."""

    def __init__(self) -> None:
        self.now = 1000.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(cost, "time", clock)
    return clock


@pytest.fixture
def slow(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Iterator[float]]:
    """Makes passes and fits take time. per_token, per_pass, per_fit: seconds; each is off by a factor up to `off`."""

    def begin(per_token: float, per_pass: float, per_fit: float, off: float = 1.0) -> None:
        rng, losses = np.random.default_rng(0), np.random.default_rng(0).normal(3, 1, (64, 32)).astype(np.float32)
        update = RunningVerdict.update

        def measured(self: Any, ids: Any) -> Any:
            clock.now += (per_pass + per_token * (ids.size - len(ids))) * rng.uniform(1, off)
            losses[...] -= 0.01 * losses**2
            return losses[: len(ids), : ids.shape[1] - 1].copy()

        def fitted(self: Any, step: int) -> Any:
            clock.now += per_fit * rng.uniform(1, off)
            return update(self, step)

        monkeypatch.setattr(ModelLosses, "__call__", measured)
        monkeypatch.setattr(RunningVerdict, "update", fitted)
        monkeypatch.setattr(scheduled_steps, "seconds_of_fit", lambda: per_fit)
        monkeypatch.setattr(scheduled_steps, "seconds_of_changes", lambda sequences, predictions, n_groups: 0.0)

    return begin


def watched(
    clock: Clock, preset: str, update: float = 2.0, batch: Any = None, steps: int = STEPS, **settings: Any
) -> tuple[dict[int, Any], list[str]]:
    """Step -> record, of updates of some seconds each; what was told."""
    told: list[str] = []
    monitor = zerosum.Monitor(model_with_dropout(), TOKENS, cost=preset, tell=told.append, **settings)
    records = {}
    for step in range(steps + 1):
        with monitor.step(step, loss=loss_at(step + 1), batch=batch):
            clock.now += update
        if monitor.latest and monitor.latest.step == step:
            records[step] = monitor.latest
    return records, told


@pytest.mark.parametrize("preset", ["economy", "business"])
@pytest.mark.parametrize("per_token", [3e-5, 1e-3])
def test_the_cost_stays_below_the_preset(clock: Clock, slow: Any, preset: str, per_token: float) -> None:
    slow(per_token, per_pass=0.01, per_fit=0.5, off=RESERVE)
    records, told = watched(clock, preset, batch=TOKENS[:30])
    assert all(record.cost <= PRESETS[preset] for record in records.values())
    assert list(records) == [2**k for k in range(11) if 2**k >= min(records)]
    assert len(records[STEPS].one_step) == 2
    assert all(record.sequences[0] >= 20 for record in records.values())
    assert records[STEPS].fit is not None
    assert len(told) == len(set(told)) <= 4
    if per_token == 3e-5:
        assert records[STEPS].sequences == (64, 64)


def test_economy_measures_a_small_model(clock: Clock, slow: Any) -> None:
    """Updates of 7 ms; passes of 2 ms and more, fits of 30 ms: as on two cores of an ordinary machine."""
    slow(per_token=3e-6, per_pass=0.002, per_fit=0.03, off=1.3)
    records, told = watched(clock, "economy", update=0.007, steps=2048)
    assert list(records) == [256, 512, 1024, 2048]
    assert records[256].one_step[0].measured.N >= 20 * SHORTEST
    assert max(record.cost for record in records.values()) <= 0.01
    assert records[2048].fit is not None
    assert "left out" in told[0]


def test_a_pass_longer_than_predicted_costs_no_second_one(clock: Clock, slow: Any) -> None:
    """The limit is exceeded by the error of one prediction at most, and what is left of the step is left out."""
    slow(per_token=1e-5, per_pass=0.01, per_fit=0.0)
    normal = ModelLosses.__call__

    def stalls(self: Any, ids: Any) -> Any:
        clock.now += 20.0
        return normal(self, ids)

    told: list[str] = []
    monitor = zerosum.Monitor(model_with_dropout(), TOKENS, schedule="every(300)", tell=told.append)
    with pytest.MonkeyPatch.context() as patch:
        for step in range(1201):
            if step == 600:
                patch.setattr(ModelLosses, "__call__", stalls)
            if step == 601:
                patch.undo()
            with monitor.step(step):
                clock.now += 1.0
            if step == 600:
                assert monitor.latest is not None
                assert monitor.latest.step == 300
                assert monitor.state_dict()["cost"]["spent"] == pytest.approx(20.0, abs=0.2)
    assert monitor.latest.step == 1200
    assert monitor.latest.cost <= PRESETS["business"]
    assert sum("left out" in line for line in told) == 1


def test_a_cost_above_the_preset_is_told_once(clock: Clock, slow: Any) -> None:
    """The passes after two updates take far longer than predicted; in between the cost comes down to the limit."""
    slow(per_token=1e-5, per_pass=0.01, per_fit=0.0)
    told: list[str] = []
    monitor = zerosum.Monitor(model_with_dropout(), TOKENS, schedule="every(30)", tell=told.append)
    take, stalled = ModelLosses.__call__, {60: 40.0, 360: 400.0}
    costs = {}

    def stalling(seconds: float) -> Any:
        def measured(self: Any, ids: Any) -> Any:
            clock.now += seconds
            return take(self, ids)

        return measured

    with pytest.MonkeyPatch.context() as patch:
        for step in range(361):
            with monitor.step(step):
                clock.now += 10.0
                if step in stalled:
                    patch.setattr(ModelLosses, "__call__", stalling(stalled[step]))
            patch.setattr(ModelLosses, "__call__", take)
            if monitor.latest and monitor.latest.step == step:
                costs[step] = monitor.latest.cost, monitor.latest.warnings
    assert [costs[step][0] > PRESETS["business"] for step in (30, 60, 330, 360)] == [False, True, False, True]
    assert costs[60][1] - costs[30][1] == 1
    above = [line for line in told if "of training time so far, more than the 5 % that were chosen" in line]
    assert len(above) == 1
    assert above[0].startswith("zerosum monitor: step 60: it took 6.6 %")


def test_full_measures_everything(clock: Clock, slow: Any) -> None:
    slow(per_token=1e-3, per_pass=0.5, per_fit=10.0)
    records, told = watched(clock, "full")
    assert list(records) == [2**k for k in range(11)]
    assert {record.one_step[0].measured.N for record in records.values()} == {64 * 32}
    assert [step for step, record in records.items() if record.fit] == [256, 512, 1024]
    assert told == []


def test_a_probe_becomes_smaller_and_then_shorter() -> None:
    for sequences, predictions in ((1, 1), (5, 40), (20, 16), (64, 100), (1000, 1)):
        every = sizes(sequences, predictions)
        assert (every[0].sequences, every[0].predictions) == (sequences, predictions)
        assert (every[-1].sequences, every[-1].predictions) == (min(20, sequences), min(16, predictions))
        assert [size.tokens for size in every] == sorted({size.tokens for size in every}, reverse=True)


def test_passes_are_predicted_from_those_of_other_sizes() -> None:
    every, cost = sizes(80, 64), Cost(0.05, trained=60.0, updates=10)
    assert [size.tokens for size in every] == [5120, 2560, 1280, 640, 320]
    assert [pass_seconds(size, every, cost) for size in every] == pytest.approx([32.0, 16.0, 8.0, 4.0, 2.0])
    cost.learn(every[3].work, 1.0)
    assert [pass_seconds(size, every, cost) for size in every] == [8.0, 4.0, 2.0, 1.0, 1.0]
    for seconds in (5.0, 1.5, 1.5, 1.5):
        cost.learn(every[1].work, seconds)
    assert [pass_seconds(size, every, cost) for size in every] == [10.0, 5.0, 2.0, 1.0, 1.0]
    cost.learn(every[1].work, 1.5)
    assert [pass_seconds(size, every, cost) for size in every] == [3.0, 1.5, 2.0, 1.0, 1.0]


def test_a_pause_between_two_sittings_is_nobodys_time(clock: Clock) -> None:
    model, tokens = model_with_dropout(), batch_of(0)
    first, second = (zerosum.Monitor(model, tokens, cost="economy") for _ in range(2))
    for step in range(3):
        with first.step(step, loss=3.0):
            clock.now += 1.0
    clock.now += 1000.0
    second.load_state_dict(first.state_dict())
    clock.now += 1000.0
    for step in range(3, 6):
        with second.step(step, loss=3.0):
            clock.now += 1.0
    assert second.state_dict()["cost"]["trained"] == pytest.approx(6.0)
    assert second.state_dict()["cost"]["updates"] == 6


def test_a_fit_too_dear_is_left_out_and_told(clock: Clock, slow: Any) -> None:
    slow(per_token=0.0, per_pass=0.0, per_fit=100.0)
    records, told = watched(clock, "economy", update=1.0, steps=300, schedule=[300])
    assert records[300].fit is None
    assert any("not fitted before about step 14,999" in line for line in told)


def test_micro_batches_are_measured_all_or_not_at_all(clock: Clock) -> None:
    model = model_with_dropout()
    cost = Cost(0.05, spent=1.0, trained=10.0, updates=1000)
    steps = MicroSteps(model, cost)
    for step, trained in ((1, 10.0), (2, 1000.0)):
        model.zero_grad()
        for _ in range(3):
            model(input_ids=batch_of(0), labels=batch_of(0)).loss.backward()
            assert steps.add(step, MicroBatch(96)) == (trained > 10.0)
            cost.trained = max(cost.trained, 1000.0 if step == 1 else trained)  # more is allowed, but not in this step
        record = steps.record(step)
        assert (record is not None) == (step == 2)
    assert record is not None
    assert record.n_units == 3
