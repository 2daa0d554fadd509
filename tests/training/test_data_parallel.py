"""Two processes on the CPU (gloo), as torchrun would start them, train what one process trains."""

from multiprocessing.context import ForkServerContext
from pathlib import Path

import numpy as np
import pytest
from several_processes import rows, train_in

from zerosum.training import batch, optimizer_step, restore, train
from zerosum.training.recipe import Recipe


def test_two_processes_train_what_one_trains(recipe: Recipe, tmp_path: Path, processes: ForkServerContext) -> None:
    train(recipe, tmp_path / "one")
    assert train_in(processes, 2, recipe, tmp_path / "two") == [0, 0]
    one, two = rows(tmp_path / "one"), rows(tmp_path / "two")
    assert [row["step"] for row in two] == [row["step"] for row in one]
    for name in ("loss", "grad_norm", "lr", "tokens_seen"):
        np.testing.assert_allclose([row[name] for row in two], [row[name] for row in one], atol=1e-5, rtol=1e-5)
    assert {p.name for p in (tmp_path / "two").iterdir()} == {p.name for p in (tmp_path / "one").iterdir()}
    assert not (tmp_path / "called-1").exists()  # only the main process reports

    state = restore(tmp_path / "two" / "checkpoint-4", recipe)  # one process measures what two have trained
    assert optimizer_step(state, batch(recipe, 4)).loss == pytest.approx(two[4]["loss"], abs=1e-5)


def test_two_processes_continue_together(recipe: Recipe, tmp_path: Path, processes: ForkServerContext) -> None:
    assert train_in(processes, 2, recipe, tmp_path / "whole") == [0, 0]
    assert train_in(processes, 2, recipe, tmp_path / "cut", stop_at=7)[0] == -9
    assert train_in(processes, 2, recipe, tmp_path / "cut") == [0, 0]
    for name in ("metrics.jsonl", "checkpoint-12/model.safetensors"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_refusal_reaches_both_processes(recipe: Recipe, tmp_path: Path, processes: ForkServerContext) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").touch()
    assert train_in(processes, 2, recipe, tmp_path / "run") == [0, 0]
    told = [(tmp_path / f"refused-{rank}").read_text() for rank in (0, 1)]
    assert told[0] == told[1]
    assert "is not a run" in told[0]
