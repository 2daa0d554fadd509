"""Processes killed at random file operations and at random times: started again, a run ends as if nothing happened."""

import multiprocessing
import os
import signal
import sys
import time
from multiprocessing.context import ForkServerContext
from pathlib import Path

import numpy as np
import pytest
import torch

from zerosum.training import train
from zerosum.training.recipe import Recipe

_CHANGES = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree"}


def contents(run: Path) -> dict[str, bytes]:
    files = {str(path.relative_to(run)): path for path in run.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if path.suffix != ".pt"}


def train_and_die(recipe: Recipe, run: Path, operation: int) -> None:
    """Train in this process, which ends itself without any warning before so many file operations inside the run."""
    torch.set_num_threads(1)
    count = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event in _CHANGES and str(run) in str(arguments[0]):
            count += 1
            if count == operation:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    train(recipe, run)


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Processes that begin with torch already imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["zerosum.training.loop"])
    return context


def exit_code(process: multiprocessing.process.BaseProcess) -> int | None:
    process.join(timeout=60)
    assert not process.is_alive()
    return process.exitcode


def test_killed_before_any_file_operation(recipe: Recipe, tmp_path: Path, processes: ForkServerContext) -> None:
    train(recipe, tmp_path / "whole")
    run = tmp_path / "killed"
    generator = np.random.default_rng(0)
    kills = 0
    for _ in range(12):
        process = processes.Process(target=train_and_die, args=(recipe, run, int(generator.integers(1, 90))))
        process.start()
        if exit_code(process) == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        kills += 1
    assert kills >= 3
    train(recipe, run)
    assert contents(run) == contents(tmp_path / "whole")


def test_killed_at_random_times(recipe: Recipe, tmp_path: Path, processes: ForkServerContext) -> None:
    longer = recipe.model_copy(update={"steps": 120, "resume_every": 5})
    train(longer, tmp_path / "whole")
    run = tmp_path / "killed"
    generator = np.random.default_rng(1)
    log = run / "metrics.jsonl"
    lives = []
    for target in (5, 40, 70, 110):
        process = processes.Process(target=train_and_die, args=(longer, run, 10**9))
        process.start()
        while process.is_alive() and (not log.exists() or log.read_bytes().count(b"\n") < target):
            time.sleep(0.001)
        time.sleep(generator.uniform(0, 0.02))
        process.kill()
        lives.append(exit_code(process))
    assert lives[0] == -signal.SIGKILL
    train(longer, run)
    assert contents(run) == contents(tmp_path / "whole")
