"""Training is the same bit for bit with and without the monitor.

200 updates of a tiny model with dropout, one thread, once without and once with the monitor (schedule log2, no limit of
its cost), in every host. processes: connected by gloo under DDP, as torchrun connects them. passes: of which gradients
are accumulated in an update; with 2, gradients of tokens and of micro-batches are measured, too. compiled: by torch
with the C++ compiler of the machine. numbers: weights, moments of the optimizer and states of random generators that
were compared, of all processes; different: of these.
"""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from several_processes import end, start
from tiny_recipe import write_corpus
from warm_processes import warm_processes
from watched_hosts import HOSTS, run_both

SEEDS = "0 to 5"
STEPS = 200
COMPILER = shutil.which(os.environ.get("CXX", "g++"))
CASES = [
    *((host, 1, passes, False) for host in HOSTS for passes in (1, 2)),
    *((host, 1, 1, True) for host in HOSTS),
    *((host, 2, passes, False) for host in HOSTS if host != "lightning" for passes in (1, 2)),
]


@pytest.mark.parametrize(("host", "processes", "passes", "compiled"), CASES)
def test_nothing_changes(host, processes, passes, compiled, tmp_path: Path, table, count):
    if compiled and COMPILER is None:
        pytest.skip("no C++ compiler here")
    (tmp_path / "corpus").mkdir()
    write_corpus(tmp_path / "corpus")
    steps = max(4, count(STEPS))
    codes = end(start(warm_processes(), processes, run_both, host, tmp_path, steps, passes, compiled), patience=1_800)
    assert codes == [0] * processes
    numbers = different = 0
    for rank in range(processes):
        without, watched = (np.load(tmp_path / f"{monitored}-{rank}.npz") for monitored in (False, True))
        assert list(without) == list(watched)
        numbers += sum(without[name].size for name in without)
        different += sum(int((without[name] != watched[name]).sum()) for name in without)
    table.add(
        host=host,
        processes=processes,
        passes=passes,
        compiled="yes" if compiled else "no",
        updates=steps,
        numbers=f"{numbers:,}",
        different=different,
    )
    assert numbers
    assert different == 0
