"""Killed training runs continue to the same weights.

Runs of a tiny model with each optimizer. N of them were each killed (SIGKILL) before a random one of their file
operations and started again. Every file of the finished run, among them the weights, has to be equal bit for bit to
that of a run without a kill.
"""

from pathlib import Path

import numpy as np
import pytest
from killed_runs import contents, number_of_operations, processes_with_torch, steps_when_killed
from tiny_recipe import tiny_recipe, write_corpus

from zerosum.training import train
from zerosum.training.optimizers import OPTIMIZERS

SEEDS = "5 for the runs, 0 for the file operations"
KILLS = 10


@pytest.mark.parametrize("optimizer", OPTIMIZERS.names())
def test_killed_runs_end_as_if_nothing_had_happened(optimizer, tmp_path: Path, table, count):
    (tmp_path / "corpus").mkdir()
    recipe = tiny_recipe(write_corpus(tmp_path / "corpus"), optimizer={"name": optimizer})
    processes, rng = processes_with_torch(), np.random.default_rng(0)
    last = number_of_operations(processes, recipe, tmp_path / "whole")
    whole = contents(tmp_path / "whole")
    operations = sorted(rng.choice(np.arange(1, last + 1), count(KILLS), replace=False).tolist())
    steps, equal = [], []
    for operation in operations:
        run = tmp_path / f"killed-{operation}"
        steps.append(steps_when_killed(processes, recipe, run, operation))
        train(recipe, run)
        equal.append(contents(run) == whole)
    table.add(
        optimizer=optimizer,
        N=len(equal),
        steps=recipe.steps,
        file_operations=last,
        killed_before_operation=", ".join(map(str, operations)),
        logged_steps_then=", ".join(map(str, steps)),
        result=f"{sum(equal)} of {len(equal)} equal bit for bit",
    )
    assert any(name.endswith(".safetensors") for name in whole)
    assert None not in steps
    assert all(equal)
