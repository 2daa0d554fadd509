"""Two processes on the CPU (gloo), as torchrun would start them, train what one process trains."""

import json
import multiprocessing
import os
import socket
from multiprocessing.context import ForkServerContext
from pathlib import Path

import numpy as np
import pytest
import torch
from on_step import OnStep

from zerosum.errors import InputError
from zerosum.training import batch, optimizer_step, restore, train
from zerosum.training.recipe import Recipe


def one_of_two(recipe: Recipe, run: Path, rank: int, port: int, stop_at: int) -> None:
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}

    def report(step: int, loss: float) -> None:
        (run.parent / f"told-{rank}").write_text(str(step))
        if step == stop_at:
            os._exit(7)

    try:
        train(recipe, run, callbacks=(OnStep(report),))
    except InputError as error:
        (run.parent / f"refused-{rank}").write_text(str(error))


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["zerosum.training.loop"])
    return context


def train_in_two(processes: ForkServerContext, recipe: Recipe, run: Path, stop_at: int = 0) -> list[int | None]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    both = [processes.Process(target=one_of_two, args=(recipe, run, rank, port, stop_at)) for rank in (0, 1)]
    for process in both:
        process.start()
    both[0].join(timeout=60)
    if stop_at:
        both[1].kill()  # as torchrun does when one process is lost
    both[1].join(timeout=60)
    assert not any(process.is_alive() for process in both)
    return [process.exitcode for process in both]


def rows(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_two_processes_train_what_one_trains(recipe: Recipe, tmp_path: Path, processes: ForkServerContext) -> None:
    train(recipe, tmp_path / "one")
    assert train_in_two(processes, recipe, tmp_path / "two") == [0, 0]
    one, two = rows(tmp_path / "one"), rows(tmp_path / "two")
    assert [row["step"] for row in two] == [row["step"] for row in one]
    for name in ("loss", "grad_norm", "lr", "tokens_seen"):
        np.testing.assert_allclose([row[name] for row in two], [row[name] for row in one], atol=1e-5, rtol=1e-5)
    assert {p.name for p in (tmp_path / "two").iterdir()} == {p.name for p in (tmp_path / "one").iterdir()}
    assert not (tmp_path / "told-1").exists()  # only the main process reports

    state = restore(tmp_path / "two" / "checkpoint-4", recipe)  # one process measures what two have trained
    assert optimizer_step(state, batch(recipe, 4)).loss == pytest.approx(two[4]["loss"], abs=1e-5)


def test_two_processes_continue_together(recipe: Recipe, tmp_path: Path, processes: ForkServerContext) -> None:
    assert train_in_two(processes, recipe, tmp_path / "whole") == [0, 0]
    assert train_in_two(processes, recipe, tmp_path / "cut", stop_at=7)[0] == 7
    assert train_in_two(processes, recipe, tmp_path / "cut") == [0, 0]
    for name in ("metrics.jsonl", "checkpoint-12/model.safetensors"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_refusal_reaches_both_processes(recipe: Recipe, tmp_path: Path, processes: ForkServerContext) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").touch()
    assert train_in_two(processes, recipe, tmp_path / "run") == [0, 0]
    told = [(tmp_path / f"refused-{rank}").read_text() for rank in (0, 1)]
    assert told[0] == told[1]
    assert "is not a run" in told[0]
