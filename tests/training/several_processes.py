"""Processes on the CPU (gloo) that are connected as torchrun connects them."""

import json
import os
import signal
import socket
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import torch
from killed_runs import file_operations, train_and_die
from on_step import OnStep

from zerosum.errors import InputError
from zerosum.training import Callback, train
from zerosum.training.recipe import Recipe


def start(processes: ForkServerContext, number: int, work: Callable[..., None], *arguments: Any) -> list[Any]:
    """Start `work(*arguments)` in several connected processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    group = [processes.Process(target=_member, args=(work, rank, number, port, arguments)) for rank in range(number)]
    for process in group:
        process.start()
    return group


def _member(work: Callable[..., None], rank: int, number: int, port: int, arguments: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(number)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    work(*arguments)


def end(group: list[Any], *, patience: float = 90) -> list[int | None]:
    """Wait for the end of all processes; when one fails, end the others, as torchrun does.

    patience: seconds to wait for the next end.
    """
    while running := [process for process in group if process.is_alive()]:
        assert wait([process.sentinel for process in running], timeout=patience)
        if any(process.exitcode for process in group):
            for process in group:
                process.kill()
    return [process.exitcode for process in group]


def in_each(work: Callable[..., None], recipe: Recipe, run: Path, **options: Any) -> None:
    """Train in this process; writes a refusal into a file beside the run."""
    try:
        work(recipe, run, **options)
    except InputError as error:
        (run.parent / f"refused-{os.environ.get('RANK', 0)}").write_text(str(error))


def train_member(recipe: Recipe, run: Path, stop_at: int, callbacks: tuple[Callback, ...]) -> None:
    """Train in this process, which is killed where its callbacks reach the step `stop_at`."""

    def stop(step: int, loss: float) -> None:
        (run.parent / f"called-{os.environ.get('RANK', 0)}").write_text(str(step))
        if step == stop_at:
            os.kill(os.getpid(), signal.SIGKILL)

    in_each(train, recipe, run, callbacks=(*callbacks, OnStep(stop)))


def train_in(
    processes: ForkServerContext,
    number: int,
    recipe: Recipe,
    run: Path,
    *,
    stop_at: int = 0,
    callbacks: tuple[Callback, ...] = (),
) -> list[int | None]:
    """Train a run, or continue it, in several processes; their exit codes."""
    return end(start(processes, number, train_member, recipe, run, stop_at, callbacks))


def rows(run: Path) -> list[dict[str, float]]:
    """The log of a run."""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def train_or_die(recipe: Recipe, run: Path, rank: int, operation: int) -> None:
    """Train in this process; that of `rank` is killed before so many file operations of its own inside the run."""
    if os.environ["RANK"] == str(rank):
        train_and_die(recipe, run, operation)
    else:
        train(recipe, run)


def train_and_count(recipe: Recipe, run: Path) -> None:
    """Train in this process; writes the number of its file operations inside the run into a file beside the run."""
    (run.parent / f"operations-{os.environ.get('RANK', 0)}").write_text(str(file_operations(recipe, run)))
