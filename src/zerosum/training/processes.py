"""Runs several jobs in parallel, each in its own process.

With a second thread a tiny model trains 1.4 to 1.7 times as fast, but many times slower when another program uses the
core: the threads wait for each other at each of some hundred small operations. Two runs with one thread each also use
both cores and never wait for each other (benchmarks/train_step.md).
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from typing import Any

from zerosum.errors import InputError

Report = Callable[..., None]


@dataclass
class _Worker:
    number: int
    process: BaseProcess
    messages: Connection


def side_by_side(
    work: Callable[[Any, Report], Any],
    jobs: Iterable[Any],
    *,
    workers: int | None = None,
    on_report: Callable[..., None] | None = None,
    modules: Sequence[str] = (),
) -> list[Any]:
    """`[work(job, report) for job in jobs]`, computed by `workers` processes in parallel, started in the order given.

    work: a function that another process can import; jobs and results are pickled.
    jobs: asked for the next one whenever a process is free. None: there is none before another job has ended; the end,
    where no job is running.
    workers: None means one process for each CPU core that this process may use.
    on_report: called in this process as `on_report(number, *values)` for each `report(*values)` of job `number`.
    modules: names of modules that `work` needs; on Linux they are loaded once for all processes.
    The first error ends all processes and is raised: an InputError unchanged, any other error as RuntimeError with
    the worker's traceback on stderr. The processes end by themselves when this process is killed.
    """
    context, waiting, numbers = _context(modules), iter(jobs), count()
    running: list[_Worker] = []
    results: dict[int, Any] = {}
    try:
        has_ended = True
        while True:
            while has_ended and len(running) < (workers or _usable_cores()):
                if (job := next(waiting, None)) is None:
                    break
                receiver, sender = context.Pipe(duplex=False)
                process = context.Process(target=_work, args=(work, job, sender), daemon=True)
                _start(process, context)
                sender.close()  # only the worker holds it now, so that the messages end with the worker
                running.append(_Worker(next(numbers), process, receiver))
            if not running:
                return [results[number] for number in sorted(results)]
            has_ended = False
            for worker in _with_messages(running):
                if not _take(worker, results, on_report):
                    worker.process.join()
                    worker.messages.close()
                    running.remove(worker)
                    has_ended = True
    finally:
        for worker in running:
            worker.process.terminate()
            worker.process.join()


def _start(process: BaseProcess, context: SpawnContext | ForkServerContext) -> None:
    """Start a worker that never receives Ctrl-C: an interrupt is for this process, which then ends the workers.

    Workers inherit the blocked signal from the server of forks, which takes seconds to load its modules; meanwhile this
    process can be interrupted.
    """
    if isinstance(context, ForkServerContext):
        with _interrupts_blocked():
            forkserver.ensure_running()
        process.start()
    else:
        with _interrupts_blocked():
            process.start()


def _context(modules: Sequence[str]) -> SpawnContext | ForkServerContext:
    """On Linux, processes are copies of one that has loaded `modules`; elsewhere a copy is not safe after loading."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["zerosum.training.worker_process", *modules])
    return context


def _with_messages(running: list[_Worker]) -> list[_Worker]:
    ready = wait([worker.messages for worker in running])
    return [worker for worker in running if worker.messages in ready]


def _take(worker: _Worker, results: dict[int, Any], on_report: Callable[..., None] | None) -> bool:
    """Receive a message of a worker; False when its job is done."""
    try:
        kind, content = worker.messages.recv()
    except EOFError:
        worker.process.join()
        raise RuntimeError(f"job {worker.number}: its process ended with code {worker.process.exitcode}") from None
    if kind == "error":
        raise InputError(content)
    if kind == "result":
        results[worker.number] = content
        return False
    if on_report:
        on_report(worker.number, *content)
    return True


def _work(work: Callable[[Any, Report], Any], job: Any, messages: Connection) -> None:
    """The main function of a worker process."""
    try:
        try:
            result = work(job, lambda *values: messages.send(("report", values)))
        except InputError as error:
            messages.send(("error", str(error)))
        else:
            messages.send(("result", result))
    except BrokenPipeError:
        pass  # the process that started this one has ended


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Delay Ctrl-C until the end of the block; processes started inside never receive it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # otherwise multiprocessing starts it in the block, and unblocks the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
