"""Processes that begin with torch, transformers and this package already imported."""

import multiprocessing
import os
import pkgutil
import sys
from collections.abc import Mapping
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

IMPORTED = (
    "zerosum.training.worker_process",
    "zerosum.training.loop",
    "zerosum.losses._measure",
    "zerosum.losses._measure_pieces",
    "zerosum.gradients.checkpoint",
    "zerosum.dissent",
    "transformers.models.llama.modeling_llama",
    "zarr.codecs",
    "xarray.backends.zarr",
)


def warm_processes() -> ForkServerContext:
    """Starts processes as copies of one server, which lives as long as the tests."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(IMPORTED))
    return context


def start_verb(
    *arguments: object,
    output: Path = Path(os.devnull),
    environment: Mapping[str, str] | None = None,
    prepare: str | None = None,
) -> BaseProcess:
    """Starts `zerosum ARGUMENTS...` in a process of its own; stdout and stderr go to output.out and output.err.

    prepare: "module:function", called in that process before the verb. Processes that the verb starts are copies
    of the same server.
    """
    call = ([str(argument) for argument in arguments], str(output), dict(environment or {}), prepare)
    process = warm_processes().Process(target=_verb, args=call)
    process.start()
    return process


def _verb(arguments: list[str], output: str, environment: dict[str, str], prepare: str | None) -> None:
    for number, ending in ((1, ".out"), (2, ".err")):
        file = output if output == os.devnull else output + ending
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ.update(environment)
    forkserver._forkserver.ensure_running = lambda: None  # a copy of the server knows its address
    if prepare:
        pkgutil.resolve_name(prepare)()
    from zerosum.cli import main

    sys.argv = ["zerosum", *arguments]
    main()
