"""Processes on the CPU (gloo), as torchrun would start them."""

import json
import multiprocessing
import os
import signal
import socket
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import torch
from on_step import OnStep

from zerosum.errors import InputError
from zerosum.training import Callback, train
from zerosum.training.recipe import Recipe


def new_processes() -> ForkServerContext:
    """Processes that begin with torch already imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["zerosum.training.loop"])
    return context


def _member(work: Callable[..., None], rank: int, number: int, port: int, arguments: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(number)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    work(*arguments)


def start(processes: ForkServerContext, number: int, work: Callable[..., None], *arguments: Any) -> list[Any]:
    """Start `work(*arguments)` in several connected processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    group = [processes.Process(target=_member, args=(work, rank, number, port, arguments)) for rank in range(number)]
    for process in group:
        process.start()
    return group


def end(group: list[Any]) -> list[int | None]:
    """Wait for the end of all processes; when one is lost, end the others, as torchrun does."""
    while any(process.is_alive() for process in group):
        multiprocessing.connection.wait([process.sentinel for process in group if process.is_alive()], timeout=90)
        if any(process.exitcode for process in group):
            for process in group:
                process.kill()
    for process in group:
        process.join()
    return [process.exitcode for process in group]


def train_member(recipe: Recipe, run: Path, stop_at: int = 0, callbacks: tuple[Callback, ...] = ()) -> None:
    """Train in this process, which ends without warning after the step `stop_at`; writes down a refusal."""
    rank = os.environ["RANK"]

    def stop(step: int, loss: float) -> None:
        (run.parent / f"called-{rank}").write_text(str(step))
        if step == stop_at:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        train(recipe, run, callbacks=(*callbacks, OnStep(stop)))
    except InputError as error:
        (run.parent / f"refused-{rank}").write_text(str(error))


def train_in(processes: ForkServerContext, number: int, recipe: Recipe, run: Path, **options: Any) -> list[int | None]:
    """Train a run, or continue it, in several processes; their exit codes. options: of `train_member`."""
    arguments = options.get("stop_at", 0), options.get("callbacks", ())
    return end(start(processes, number, train_member, recipe, run, *arguments))


def rows(run: Path) -> list[dict[str, float]]:
    """The log of a run."""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
