"""In two connected processes: nothing changes in either, and the main one logs what one process measures."""

import json
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from distributed import STEPS, WAYS, train_each
from loops import PROBE, ROWS, batch_of, model_with_dropout
from several_processes import end, start

import zerosum

WATCHED = [name for name, way in WAYS.items() if way.settings is not None]


@pytest.fixture(scope="module")
def trained(processes: ForkServerContext, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    assert end(start(processes, 2, train_each, folder)) == [0, 0]
    return folder


def rows_of(file: Path) -> Iterator[dict[str, Any]]:
    for line in file.read_text().splitlines():
        yield {name: value for name, value in json.loads(line).items() if name != "zerosum/cost"}


@pytest.mark.parametrize("name", WATCHED)
def test_nothing_changes_in_any_process(trained: Path, name: str) -> None:
    for rank in (0, 1):
        without, watched = (np.load(trained / folder / f"{rank}.npz") for folder in (WAYS[name].like, name))
        for part in without:
            np.testing.assert_array_equal(without[part], watched[part], err_msg=f"{rank} {part}")
    assert not (trained / name / "log-1.jsonl").exists()
    assert (trained / name / "told-1").read_text() == ""


@pytest.mark.parametrize("name", ["ddp, watched", "accelerate, watched", "fsdp, watched"])
def test_values_are_those_of_one_process(trained: Path, name: str, tmp_path: Path) -> None:
    weights = np.load(trained / name / "0.npz")
    model = model_with_dropout()
    monitor = zerosum.Monitor(model, PROBE, cost="full", log=tmp_path / "log.jsonl")

    def load(step: int) -> None:
        torch.nn.utils.vector_to_parameters(torch.from_numpy(weights[f"weights-{step}"]), model.parameters())

    load(0)
    for step in range(STEPS):
        with monitor.step(step, batch=batch_of(step)[: ROWS // 2]):
            load(step + 1)
    rows, expected = list(rows_of(trained / name / "log-0.jsonl")), list(rows_of(tmp_path / "log.jsonl"))
    assert [row["step"] for row in rows] == [1, 2, 4, 8]
    for row, its in zip(rows, expected, strict=True):
        assert row == pytest.approx(its, abs=1e-6)


@pytest.mark.parametrize(
    ("stopped", "whole", "state"),
    [
        ("accelerate, stopped", "accelerate, watched", "state"),
        ("Trainer, stopped", "Trainer", "checkpoint-3"),
    ],
)
def test_a_saved_state_continues(trained: Path, stopped: str, whole: str, state: str) -> None:
    rows, expected = (list(rows_of(trained / name / "log-0.jsonl")) for name in (stopped, whole))
    assert rows == expected
    assert "zerosum/D_double" in {name: None for row in rows for name in row}
    assert (trained / stopped / state / "zerosum_monitor.json").is_file()
    for rank in (0, 1):
        a, b = (np.load(trained / name / f"{rank}.npz") for name in (stopped, whole))
        np.testing.assert_array_equal(a["last"], b["last"])
        np.testing.assert_array_equal(a["generator"], b["generator"])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ddp, watched", ""),
        ("fsdp, watched", ""),
        ("accelerate, stopped", ""),
        ("fsdp, at a limited cost", "left out to keep to cost business"),
        ("fsdp, more asked", "averages and gradients of weights that processes share are not measured"),
        ("fsdp, foreign tokens", "step 1: switched off, training goes on. InputError: tokens"),
        ("fsdp, failing", "step 2: switched off, training goes on. RuntimeError: out of luck"),
    ],
)
def test_the_main_process_tells_what_ends_it_once(trained: Path, name: str, words: str) -> None:
    told = (trained / name / "told-0").read_text().splitlines()
    assert [words in line for line in told] == [True] * bool(words)
