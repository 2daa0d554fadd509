"""Killed training runs continue to the same weights.

Runs of a tiny model with each optimizer, with dropout and gradient accumulation; with two processes, they share the
weights and the optimizer's state (`sharding: fsdp`). N of them were each killed (SIGKILL) before a random one of the
file operations of a process and started again. Every file of the finished run, among them the weights, has to be equal
bit for bit to that of a run without a kill.
"""

from pathlib import Path

import numpy as np
import pytest
from killed_runs import contents, number_of_operations, steps_when_killed
from several_processes import end, rows, start, train_and_count, train_in, train_or_die
from tiny_recipe import tiny_recipe, write_corpus
from warm_processes import warm_processes

from zerosum.training import train
from zerosum.training.optimizers import OPTIMIZERS
from zerosum.training.recipe import Recipe

SEEDS = "5 for the runs, 0 for the file operations"
KILLS = 10
SHARDED = sorted({"adamw", "ademamix", "lion"} & set(OPTIMIZERS.names()))


def described(folder: Path, optimizer: str, **more: object) -> Recipe:
    (folder / "corpus").mkdir()
    tiny = tiny_recipe(write_corpus(folder / "corpus"))
    values = {
        "model": tiny.model.model_dump() | {"attention_dropout": 0.2},
        "batch": {"sequences": 4, "length": 8, "passes": 2},
        "optimizer": {"kind": optimizer},
    }
    return Recipe.model_validate(tiny.model_dump() | values | more)


def add_row(table, optimizer, processes, recipe, operations, killed, steps, equal):
    table.add(
        optimizer=optimizer,
        processes=processes,
        N=len(equal),
        steps=recipe.steps,
        file_operations=operations,
        killed_before_operation=killed,
        logged_steps_then=", ".join(map(str, steps)),
        result=f"{sum(equal)} of {len(equal)} equal bit for bit",
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS.names())
def test_killed_runs_end_as_if_nothing_had_happened(optimizer, tmp_path: Path, table, count):
    recipe = described(tmp_path, optimizer)
    processes, rng = warm_processes(), np.random.default_rng(0)
    last = number_of_operations(processes, recipe, tmp_path / "whole")
    whole = contents(tmp_path / "whole")
    operations = sorted(rng.choice(np.arange(1, last + 1), count(KILLS), replace=False).tolist())
    steps, equal = [], []
    for operation in operations:
        run = tmp_path / f"killed-{operation}"
        steps.append(steps_when_killed(processes, recipe, run, operation))
        train(recipe, run)
        equal.append(contents(run) == whole)
    add_row(table, optimizer, 1, recipe, last, ", ".join(map(str, operations)), steps, equal)
    assert any(name.endswith(".safetensors") for name in whole)
    assert None not in steps
    assert all(equal)


@pytest.mark.parametrize("optimizer", SHARDED)
def test_killed_runs_of_two_processes_end_as_if_nothing_had_happened(optimizer, tmp_path: Path, table, count):
    recipe = described(tmp_path, optimizer, sharding="fsdp")
    processes, rng = warm_processes(), np.random.default_rng(0)
    assert end(start(processes, 2, train_and_count, recipe, tmp_path / "whole")) == [0, 0]
    whole = contents(tmp_path / "whole")
    last = [int((tmp_path / f"operations-{rank}").read_text()) for rank in (0, 1)]
    steps, equal, places = [], [], []
    for kill in range(count(KILLS)):
        run, rank = tmp_path / f"killed-{kill}", int(rng.integers(2))
        operation = int(rng.integers(1, last[rank] + 1))
        places.append(f"{operation} of process {rank}")
        assert -9 in end(start(processes, 2, train_or_die, recipe, run, rank, operation))
        steps.append(len(rows(run)) if (run / "metrics.jsonl").exists() else 0)
        assert train_in(processes, 2, recipe, run) == [0, 0]
        equal.append(contents(run) == whole)
    operations = " and ".join(map(str, last))
    add_row(table, optimizer, 2, recipe, operations, ", ".join(places), steps, equal)
    assert sum("/optimizer/" in name for name in whole) > 2
    assert all(equal)
