"""Benches of tiny runs, run to their end in this process or killed in another, and everything that they found."""

import itertools
import math
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from warm_processes import start_verb

from zerosum.bench import engine
from zerosum.bench.engine import run_here
from zerosum.bench.plan import Bench
from zerosum.bench.read import read_results
from zerosum.bench.reading import read_declaration

MEASURED = ("seconds", "peak_memory")


def one_after_the_other(work: Callable[..., Any], jobs: Iterable[Any], **_: Any) -> list[Any]:
    """In the place of `side_by_side`: in this process, which has everything loaded."""
    return [work(job, lambda *news: None) for job in takewhile(lambda job: job is not None, jobs)]


def finished(file: Path, folder: Path) -> Bench:
    """The bench of a file, run to its end in this process."""
    bench = Bench(read_declaration(file), folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "side_by_side", one_after_the_other)
        run_here(bench, 1, lambda *news: None, lambda notice: None)
    return bench


def findings(bench: Bench) -> Any:
    """All results but those that two runs of one thing never share: time and memory."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {str(key): plain(item) for key, item in value.items() if key not in MEASURED}
        if isinstance(value, tuple | list):
            return [plain(item) for item in value]
        return None if isinstance(value, float) and math.isnan(value) else value

    return [plain(asdict(result) | {"name": ""}) for result in read_results(bench)]


def killed(file: Path, folder: Path, when: Callable[[Path], bool]) -> bool:
    """Start the verb and kill it as soon as `when` says so of the pool of its runs; whether it was killed."""
    process = start_verb("bench", file, "--out", folder, "--jobs", "2", "--json")
    pool = folder.parent / "bench-runs"
    while process.is_alive() and not when(pool):
        time.sleep(0.005)
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def times_of_runs(pool: Path) -> dict[str, int]:
    """When the last weights of every run were written."""
    weights = pool.glob("*/checkpoint-*[0-9]/model.safetensors")
    return {
        folder.name: max(file.stat().st_mtime_ns for file in files)
        for folder, files in itertools.groupby(sorted(weights), key=lambda file: file.parents[1])
    }
