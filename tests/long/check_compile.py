"""Compiled layers train what eager layers train.

Twelve steps of a tiny model whose layers torch compiles with the C++ compiler of the machine. difference: the largest
difference of a logged loss from that of eager layers, in nats, without dropout. A run with dropout is also stopped
after step 7 and continued in a new process, which compiles again: every file has to be equal bit for bit to that of a
run in one go.
"""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from killed_runs import contents, exit_code
from several_processes import rows, train_member
from tiny_recipe import tiny_recipe, write_corpus
from warm_processes import warm_processes

from zerosum.training import train
from zerosum.training.recipe import Recipe

SEEDS = "5"
LARGEST = {"no": 1e-5, "bf16": 0.02}  # float32's rounding over 12 steps; 2^-8 of a loss of 5.5 nats


@pytest.mark.skipif(shutil.which(os.environ.get("CXX", "g++")) is None, reason="no C++ compiler here")
@pytest.mark.parametrize("recomputed", [False, True])
@pytest.mark.parametrize("precision", LARGEST)
def test_compiled_layers_train_what_eager_layers_train(precision, recomputed, tmp_path: Path, table):
    (tmp_path / "corpus").mkdir()
    tiny = tiny_recipe(write_corpus(tmp_path / "corpus")).model_dump()
    values = {"mixed_precision": precision, "activation_checkpointing": recomputed}
    model = tiny["model"] | {"num_hidden_layers": 3}
    for compiled in (False, True):
        recipe = Recipe.model_validate(tiny | values | {"model": model, "compile": compiled})
        train(recipe, tmp_path / f"compiled {compiled}")
    eager, fast = ([row["loss"] for row in rows(tmp_path / f"compiled {compiled}")] for compiled in (False, True))
    difference = np.abs(np.subtract(eager, fast)).max()

    dropout = Recipe.model_validate(tiny | values | {"model": model | {"attention_dropout": 0.2}, "compile": True})
    processes, codes = warm_processes(), []
    for run, stop_at in (("whole", 0), ("stopped", 7), ("stopped", 0)):
        process = processes.Process(target=train_member, args=(dropout, tmp_path / run, stop_at, ()))
        process.start()
        codes.append(exit_code(process, patience=600))
    equal = contents(tmp_path / "stopped") == contents(tmp_path / "whole")
    table.add(
        mixed_precision=precision,
        activation_checkpointing=recomputed,
        steps=12,
        difference=f"{difference:.1e}",
        continued="equal bit for bit" if equal else "different",
    )
    assert codes == [0, -9, 0]
    assert difference <= LARGEST[precision]
    assert equal
