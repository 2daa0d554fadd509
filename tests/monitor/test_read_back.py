"""What the monitor logs is read back from every logger: the loss curve at every step, and its own values."""

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from loops import plain_run
from torch.utils.tensorboard import SummaryWriter

import zerosum
from zerosum.monitor.guards import Warned
from zerosum.monitor.log import log_to
from zerosum.runs import read_monitor_log

sys.path.append(str(Path(__file__).parents[1] / "curves"))

from written import history, log_file, put

STEPS = 40


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A monitored run that logs to TensorBoard and JSON lines, and what it logged."""
    folder, values = tmp_path_factory.mktemp("logs"), {}
    writer = SummaryWriter(str(folder / "tensorboard"))
    to_writer, to_file = log_to(writer), log_to(folder / "log.jsonl")

    def log(row: dict[str, float], step: int) -> None:
        values[step] = row
        for target in (to_writer, to_file):
            target.values(step, row, "")

    losses = plain_run(STEPS, log=log).losses
    for step, loss in enumerate(losses):
        writer.add_scalar("train/loss", loss, step)
        to_file.losses([(step, loss, 1e-3)])
    for target in (to_file, to_writer):
        target.warning(Warned(7, "spike", "step 7: the loss jumped", 9, 1))
    writer.close()
    return SimpleNamespace(folder=folder, losses=losses, values=values)


def rows_of(run: SimpleNamespace) -> list[dict[str, Any]]:
    """As wandb.log merges them: one row for each step."""
    return [{"_step": step, "train/loss": loss, **run.values.get(step, {})} for step, loss in enumerate(run.losses)]


def wandb_file(run: SimpleNamespace, folder: Path) -> Path:
    return put(folder / "offline-run-1" / "run-ab.wandb", log_file([history(row) for row in rows_of(run)]))


def wandb_run(run: SimpleNamespace, folder: Path) -> Path:
    """What the package itself writes without a network."""
    wandb = pytest.importorskip("wandb")
    logged = wandb.init(mode="offline", dir=folder, settings=wandb.Settings(silent=True))
    to_run = log_to(logged.log)
    for step, loss in enumerate(run.losses):
        if step in run.values:
            to_run.values(step, run.values[step], "")
        logged.log({"train/loss": loss}, step=step)
    logged.finish()
    return folder


def lightning_csv(run: SimpleNamespace, folder: Path) -> Path:
    """CSVLogger: a column for each name, a row for each call."""
    names = list(dict.fromkeys(name for values in run.values.values() for name in values))
    with (folder / "metrics.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["epoch", "step", "train_loss", *names], restval="")
        table.writeheader()
        for step, loss in enumerate(run.losses):
            table.writerow({"epoch": 0, "step": step, "train_loss": loss})
            table.writerows([{"step": step, **run.values[step]}] if step in run.values else [])
    return folder / "metrics.csv"


def trainer_state(run: SimpleNamespace, folder: Path) -> Path:
    rows = [{"step": row.pop("_step"), "loss": row.pop("train/loss"), **row} for row in rows_of(run)]
    return put(folder / "trainer_state.json", json.dumps({"log_history": rows, "max_steps": STEPS}))


LOGS: dict[str, Callable[[SimpleNamespace, Path], Path]] = {
    "JSON lines": lambda run, _: run.folder / "log.jsonl",
    "TensorBoard": lambda run, _: run.folder / "tensorboard",
    "W&B": wandb_file,
    "a run of W&B": wandb_run,
    "Lightning": lightning_csv,
    "Trainer": trainer_state,
}


@pytest.mark.parametrize("logger", LOGS)
def test_loss_and_values_come_back(run: SimpleNamespace, tmp_path: Path, logger: str) -> None:
    exact = logger != "TensorBoard"  # whose numbers have 32 bits
    path = LOGS[logger](run, tmp_path)
    curve = zerosum.read_curve(path)
    np.testing.assert_array_equal(curve.step, np.arange(STEPS))
    np.testing.assert_array_equal(curve.loss, run.losses if exact else np.float32(run.losses))
    log = read_monitor_log(path)
    assert log is not None
    assert [step.step for step in log.of("step")] == list(run.values) == [1, 2, 4, 8, 16, 32]
    for step in log.of("step"):
        expected = {name.removeprefix("zerosum/"): value for name, value in run.values[step.step].items()}
        assert dict(step.values) == (expected if exact else {k: float(np.float32(v)) for k, v in expected.items()})
    D = log.of("double")[-1].estimate("D", "double")
    assert (D.N, D.interval is not None) == (24 * 12, True)
    assert [warning.code for warning in log.warnings] == (["spike"] if logger == "JSON lines" else [])
    assert log.n_warnings == (logger in ("JSON lines", "TensorBoard"))


def without_loss(run: SimpleNamespace, folder: Path) -> dict[str, Path]:
    """Logs of the monitor's values alone."""
    rows = [{"step": step, **values} for step, values in run.values.items()]
    wandb = [history({"_step": row["step"], **row}) for row in rows]
    writer = SummaryWriter(str(folder / "events"))
    for step, values in run.values.items():
        log_to(writer).values(step, values, "")
    writer.close()
    printed = "\n".join(str({name: f"{value:.4g}" for name, value in values.items()}) for values in run.values.values())
    table = [",".join(map(str, line)) for line in [rows[1], *(row.values() for row in rows[1:])]]
    return {
        "jsonl": put(folder / "a.jsonl", "\n".join(map(json.dumps, rows))),
        "wandb": put(folder / "run-ab.wandb", log_file(wandb)),
        "events": folder / "events",
        "csv": put(folder / "a.csv", "\n".join(table)),
        "state": put(folder / "trainer_state.json", json.dumps({"log_history": rows})),
        "text": put(folder / "train.log", printed + "\n"),
    }


def test_no_value_of_the_monitor_is_taken_as_the_loss(run: SimpleNamespace, tmp_path: Path) -> None:
    for name, path in without_loss(run, tmp_path).items():
        with pytest.raises(zerosum.InputError):
            pytest.fail(f"{name}: {zerosum.read_curve(path).columns}")
