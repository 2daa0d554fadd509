"""Bad input is told once, in one line, and training goes on as without the monitor."""

import json
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from loops import PROBE, Run, continue_run, model_with_dropout, plain_run, same
from tiny import VOCABULARY

import zerosum
from zerosum.losses import token_losses
from zerosum.monitor.own_loop import MonitorCallback


def failing(*_: Any, **__: Any) -> None:
    raise OSError("No space left on device")


def returning(output: Callable[[Any], Any]) -> Any:
    """A model that returns something else than logits."""

    class Model(torch.nn.Module):
        def forward(self, ids: torch.Tensor) -> Any:
            return output(ids)

    return Model()


def not_finite(model: Any) -> Any:
    """Losses of infinity and NaN."""
    model.lm_head.weight.data[:] = 3e38
    return model


NO_LOGITS: dict[str, Callable[[Any], Any]] = {
    "nothing": lambda ids: None,
    "a dict": lambda ids: {"loss": torch.ones(())},
    "an empty tuple": lambda ids: (),
    "a loss": lambda ids: torch.ones(()),
    "a row for each sequence": lambda ids: torch.ones(len(ids), VOCABULARY),
}
BAD = {
    **{f"it returns {name}": ({"model": returning(output)}, "no logits") for name, output in NO_LOGITS.items()},
    "a body without a head": ({"model": model_with_dropout().model}, "no logits"),
    "no model of token ids": ({"model": torch.nn.Linear(2, 2)}, "switched off"),
    "outside the vocabulary": ({"tokens": PROBE + VOCABULARY}, "vocabulary"),
    "too long": ({"tokens": np.ones((3, 50), dtype=int)}, "context"),
    "not finite": ({"model": not_finite(model_with_dropout())}, "a loss of held-out tokens is not finite"),
    "a logger that raises": ({"log": failing}, "No space left"),
    "a full disk": ({"log": "/dev/full"}, "No space left"),
    "an optimizer without groups": ({"optimizer": object()}, ""),
}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"probe_tokens": np.zeros((0, 5), int)}, "tokens"),
    ({"probe_tokens": np.full((2, 5), -1)}, "nothing to predict"),
    ({"schedule": "log3"}, "log3"),
    ({"schedule": []}, "no steps"),
    ({"schedule": "every(0)"}, r"every\(0\)"),
    ({"cost": "cheap"}, "economy, business, full"),
    ({"log": 5}, "nothing to log to"),
]
STEPS = 5


@pytest.fixture(scope="module")
def without() -> Run:
    return plain_run(STEPS, monitored=False)


@pytest.mark.parametrize("case", BAD)
def test_it_is_told_once_and_training_goes_on(without: Run, case: str) -> None:
    given, words = BAD[case]
    run = plain_run(0, monitored=False)
    settings = {"log": given.get("log"), "optimizer": given.get("optimizer"), "cost": "full", "tell": run.told.append}
    run.monitor = zerosum.Monitor(given.get("model", run.model), given.get("tokens", PROBE), **settings)
    continue_run(run, 0, STEPS)
    assert same(run, without)
    assert len(run.told) == bool(words)
    assert all(words in line and "\n" not in line for line in run.told)


@pytest.mark.parametrize("batch", [{"input_ids": [1]}, torch.ones(2, 3), torch.full((2, 3), -100), [[1], [2, 3]], 7])
def test_a_batch_that_is_no_ids_is_left_out(batch: Any) -> None:
    model, told = model_with_dropout(), []
    monitor = zerosum.Monitor(model, PROBE, schedule="every(1)", cost="full", tell=told.append)
    for step in (1, 2):
        with monitor.step(step, batch=batch), torch.no_grad():
            next(model.parameters()).add_(0.1)
    assert len(told) == 1
    assert "step 1: the batch is not measured. " in told[0]
    assert monitor.latest is not None
    assert (monitor.latest.step, len(monitor.latest.one_step)) == (2, 1)


def test_an_error_of_tell_is_logged(without: Run, caplog: pytest.LogCaptureFixture) -> None:
    run = plain_run(STEPS, tell=failing, log=failing)
    assert same(run, without)
    assert [record.message.count("the logger failed") for record in caplog.records] == [1]


def plain(probe_tokens: Any, **settings: Any) -> zerosum.Monitor:
    return zerosum.Monitor(model_with_dropout(), probe_tokens, **settings)


@pytest.mark.parametrize("make", [plain, MonitorCallback])
def test_wrong_arguments_are_refused_before_training(make: Any) -> None:
    for options, words in WRONG:
        with pytest.raises(zerosum.InputError, match=words):
            make(**({"probe_tokens": PROBE} | options))
    with pytest.raises(TypeError, match="shedule"):
        make(PROBE, shedule="log2")


def closures(monitored: bool) -> tuple[list[torch.Tensor], int, zerosum.Monitor | None]:
    """Five updates by LBFGS, which evaluates the loss several times in each; the number of evaluations."""
    model, evaluations = model_with_dropout(), []
    optimizer = torch.optim.LBFGS(model.parameters(), 0.1, max_iter=3)
    ids = torch.as_tensor(PROBE[:4])
    torch.manual_seed(0)
    monitor = zerosum.Monitor(model, PROBE, cost="full", optimizer=optimizer) if monitored else None

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        evaluations.append(loss.item())
        return loss

    for step in range(STEPS):
        if monitor:
            monitor.before_update(step)
            loss = optimizer.step(closure)
            monitor.after_update(step, loss=loss)
        else:
            optimizer.step(closure)
    return [*model.parameters(), torch.get_rng_state()], len(evaluations), monitor


def test_a_closure_is_called_as_without_the_monitor() -> None:
    (tensors, evaluations, monitor), (expected, as_often, _) = closures(True), closures(False)
    assert all(torch.equal(one, other) for one, other in zip(tensors, expected, strict=True))
    assert evaluations == as_often > 2 * STEPS
    assert monitor is not None
    assert monitor.latest is not None
    assert monitor.latest.step == 4


def test_several_optimizers(tmp_path: Path) -> None:
    model = model_with_dropout()
    parts = [[one for one in model.parameters() if (one.ndim == 2) == matrices] for matrices in (True, False)]
    optimizers = [torch.optim.SGD(parts[0], 0.5), torch.optim.AdamW(parts[1], 0.01)]
    monitor = zerosum.Monitor(
        model, PROBE, schedule=[0, 1], cost="full", optimizer=optimizers, log=tmp_path / "log.jsonl"
    )
    ids = torch.as_tensor(PROBE[:4])
    for step in range(2):
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        before = token_losses(model, PROBE).astype(float)
        with monitor.step(step, loss=loss):
            for optimizer in optimizers:
                optimizer.step()
        change = token_losses(model, PROBE) - before
    assert monitor.latest is not None
    assert pytest.approx(np.abs(change).mean(), rel=1e-6) == monitor.latest.one_step[0].measured.M
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["lr"] for row in rows if "loss" in row] == [0.5, 0.5]


class Preparing(torch.optim.SGD):
    """Its first step only prepares, as that of SOAP."""

    prepared = False

    def step(self, closure: Any = None) -> Any:
        self.prepared, was_prepared = True, self.prepared
        return super().step(closure) if was_prepared else None


def scaler(skips: bool) -> torch.amp.GradScaler:
    """Where it skips a step, the first loss is infinite after scaling."""
    return torch.amp.GradScaler("cpu", init_scale=2.0**127, backoff_factor=1e-30, enabled=skips)


@pytest.mark.parametrize(("kind", "skips"), [(torch.optim.AdamW, True), (Preparing, False)])
def test_a_step_without_an_update(kind: Any, skips: bool, tmp_path: Path) -> None:
    model, told = model_with_dropout(), []
    optimizer, scaled = kind(model.parameters(), 1e-2), scaler(skips)
    monitor = zerosum.Monitor(model, PROBE, schedule=[0, 1], cost="full", log=tmp_path / "log", tell=told.append)
    ids = torch.as_tensor(PROBE[:4])
    for step in range(2):
        optimizer.zero_grad()
        scaled.scale(model(input_ids=ids, labels=ids).loss).backward()
        with monitor.step(step):
            scaled.step(optimizer)
        scaled.update()
    rows = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    skipped, made = [row for row in rows if "zerosum/D_step" in row]
    assert (skipped["zerosum/D_step"], skipped["zerosum/M_step"], skipped["zerosum/reason"]) == (None, 0, "no-update")
    assert 0 <= made["zerosum/D_step"] <= 1
    assert "zerosum/reason" not in made
    assert ["step 0: the update changed no loss" in line for line in told] == [True]


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file can become larger, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 200])
def test_a_full_disk_is_told_and_an_older_state_stays(tmp_path: Path, size: int) -> None:
    run = plain_run(3)
    assert run.monitor is not None
    run.monitor.save(tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    continue_run(run, 3, 6)
    with largest_file(size):
        run.monitor.save(tmp_path)
        run.monitor.save(tmp_path)
    assert len(run.told) == 1
    assert "its state is not saved (" in run.told[0]
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    (tmp_path / "file").write_text("")
    plain = plain_run(0)
    assert plain.monitor is not None
    for folder in (tmp_path / "file", tmp_path / "nowhere"):
        plain.monitor.save(folder)
    assert len(plain.told) == 1


def test_a_damaged_state_is_told_and_training_goes_on(without: Run) -> None:
    start = plain_run(3)
    assert start.monitor is not None
    good = start.monitor.state_dict()
    for key, value in product(good, [None, 3, "x", [], {"bins": {"x": 1}}, [[1]], torch.ones(3), float("nan")]):
        told: list[str] = []
        monitor = zerosum.Monitor(start.model, PROBE, schedule="every(1)", cost="full", tell=told.append)
        monitor.load_state_dict(good | {key: value})
        with monitor.step(3, loss=1.0):
            pass
        assert len(told) <= 3, (key, value, told)
        assert all("\n" not in line for line in told)
        assert isinstance(monitor.state_dict(), dict)
    monitor = zerosum.Monitor(start.model, PROBE, cost="full", tell=(told := []).append)
    monitor.load_state_dict({})
    assert ["damaged" in line for line in told] == [True]
