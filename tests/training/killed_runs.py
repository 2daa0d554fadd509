"""Training processes that end without any warning before a file operation of their run."""

import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import torch

from zerosum.training import train
from zerosum.training.recipe import Recipe

_CHANGES = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree"}


def contents(run: Path) -> dict[str, bytes]:
    """The bytes of every file of a finished run, by name; of a safetensors file those after its unordered header."""
    files = {str(path.relative_to(run)): path for path in run.rglob("*") if path.is_file()}
    return {name: _content(path) for name, path in files.items() if path.suffix != ".pt"}


def _content(file: Path) -> bytes:
    content = file.read_bytes()
    if file.suffix != ".safetensors":
        return content
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    return json.dumps(header, sort_keys=True).encode() + content[8 + size :]


def train_and_die(recipe: Recipe, run: Path, operation: int) -> None:
    """Train in this process, which ends itself without any warning before so many file operations inside the run."""

    def die(count: int) -> None:
        if count == operation:
            os.kill(os.getpid(), signal.SIGKILL)

    _train(recipe, run, die)


def train_and_count(recipe: Recipe, run: Path, operations: SimpleQueue[int]) -> None:
    """Train in this process, and put the number of file operations inside the run into `operations`."""
    operations.put(file_operations(recipe, run))


def file_operations(recipe: Recipe, run: Path) -> int:
    """Train in this process: the number of file operations inside the run."""
    counts = [0]
    _train(recipe, run, counts.append)
    return counts[-1]


def _train(recipe: Recipe, run: Path, before_operation: Callable[[int], None]) -> None:
    torch.set_num_threads(1)
    count = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event in _CHANGES and str(run) in str(arguments[0]):
            count += 1
            before_operation(count)

    sys.addaudithook(hook)
    train(recipe, run)


def exit_code(process: multiprocessing.process.BaseProcess, patience: float = 60) -> int | None:
    """Waits for the end of the process. patience: seconds."""
    process.join(timeout=patience)
    assert not process.is_alive()
    return process.exitcode


def number_of_operations(processes: ForkServerContext, recipe: Recipe, run: Path) -> int:
    """Trains a whole run in a process of its own and counts the file operations."""
    operations = processes.SimpleQueue()
    process = processes.Process(target=train_and_count, args=(recipe, run, operations))
    process.start()
    assert exit_code(process) == 0
    return operations.get()


def steps_when_killed(processes: ForkServerContext, recipe: Recipe, run: Path, operation: int) -> int | None:
    """Trains in a process that dies before file operation `operation`: logged steps then; None where it did not die."""
    process = processes.Process(target=train_and_die, args=(recipe, run, operation))
    process.start()
    if exit_code(process) == 0:
        return None
    assert process.exitcode == -signal.SIGKILL
    log = run / "metrics.jsonl"
    return log.read_bytes().count(b"\n") if log.exists() else 0
