"""`zerosum branch`: branches of a tiny run, continued after a kill, added later, shown in the report, and refused."""

import io
import json
import shutil
import signal
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")
sys.path.insert(0, str(Path(__file__).parent.parent / "training"))

from command_line import called_with
from pretend_slurm import pretend_slurm
from tiny_recipe import tiny_recipe, write_corpus
from warm_processes import start_verb

from zerosum import open_store
from zerosum.errors import InputError
from zerosum.interference.labelled import Branches, change_between
from zerosum.runs import read_run
from zerosum.sweep import Plan, SweptRun
from zerosum.sweep.branches import plan_of_branches
from zerosum.sweep.work import train_one
from zerosum.training import train
from zerosum.training.batches import batch
from zerosum.training.orders import other_order, run_and_step


def called(*arguments: object) -> SimpleNamespace:
    """Exit code, stdout and stderr of the command line, called here."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = called_with(*arguments)
    return SimpleNamespace(code=code, out=out.getvalue(), err=err.getvalue())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("branches")
    (folder / "corpus").mkdir()
    recipe = tiny_recipe(write_corpus(folder / "corpus"), optimizer={"kind": "adamw", "lr": 0.02})
    train(recipe, folder / "run")
    return folder / "run"


def train_in_this_process(plan: Plan, runs: list[SweptRun], *_: object) -> None:
    assert [train_one(plan, swept) for swept in runs] == [None] * len(runs)


@pytest.fixture(scope="module")
def branched(run: Path) -> dict:
    """What the verb says of three branches, after two of them."""
    options = ["--steps", "6", "--sequences", "32", "--by", "position", "--jobs", "1", "--json"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zerosum.sweep.local.train_here", train_in_this_process)
        first = called("branch", f"{run}@4", "--branches", "2", *options)
        assert first.code == 0, first.err
        before = {path: path.stat().st_mtime_ns for path in (run / "branches").rglob("model.safetensors")}
        second = called("branch", f"{run}/checkpoint-4", "--branches", "3", *options)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    return {"two": json.loads(first.out), "three": json.loads(second.out)}


def test_a_third_branch_is_added_to_two(branched: dict) -> None:
    two, three = branched["two"]["branches"][0], branched["three"]["branches"][0]
    assert (len(two["each"]), len(three["each"])) == (2, 3)
    assert two["each"] == three["each"][:2]
    assert two["systematic_share"]["interval"] is two["systematic_share"]["value"] is None
    assert len(three["M_k"]) == 3
    assert three["groups"]
    assert three["mean"]["D"] == pytest.approx(1 - abs(three["delta_L"]) / three["M_k"][2])


def test_changes_are_those_of_each_branch_from_one_checkpoint(run: Path, branched: dict) -> None:
    folders = sorted((run / "branches" / "4-to-10").glob("order-*"))
    stores = [open_store(folder / "zerosum" / "losses.zarr") for folder in folders]
    x = [change_between(store, 4, 10).x for store in stores]
    each = branched["three"]["branches"][0]["each"]
    assert [one["delta_L"] for one in each] == pytest.approx([np.nanmean(change) for change in x], abs=1e-12)
    assert all(np.array_equal(store["loss"][0], stores[0]["loss"][0], equal_nan=True) for store in stores)
    assert not np.allclose(x[0], x[1], equal_nan=True)


def test_the_report_finds_the_branches(run: Path, branched: dict) -> None:
    found = read_run(run).get(Branches)
    assert found is not None
    assert found.to_json()["M_k"] == branched["three"]["branches"][0]["M_k"]
    assert "systematic" in repr(found) or "cancels" in repr(found)
    assert len(found.table()) == 1 + len(found.groups)
    assert found.plot().axes


def test_only_the_order_of_the_data_differs(run: Path) -> None:
    one, two = (other_order(run, 4, 8, order) for order in (1, 2))
    assert sorted(difference.split(":")[0] for difference in one.differences(two)) == ["name", "seed"]
    assert not np.array_equal(batch(one, 4).ids, batch(two, 4).ids)


def test_a_killed_command_loses_nothing(run: Path, tmp_path: Path) -> None:
    out, options = tmp_path / "out", ["--branches", "2", "--steps", "60", "--jobs", "1"]
    plan = plan_of_branches(run, 4, 64, 2, out)
    log = plan.runs[0].folder / "metrics.jsonl"
    process = start_verb("branch", f"{run}@4", *options, "--runs", out)
    while process.is_alive() and not (log.exists() and log.read_bytes().count(b"\n") > 8):
        time.sleep(0.005)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    train_in_this_process(plan, list(plan.runs))
    whole = plan_of_branches(run, 4, 64, 2, tmp_path / "whole").runs[1]
    assert train_one(plan, whole) is None
    for name in ("metrics.jsonl", "checkpoint-64/model.safetensors"):
        assert (whole.folder / name).read_bytes() == (plan.runs[1].folder / name).read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="programs without an ending")
def test_branches_are_jobs_of_slurm(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("submitit")
    programs = pretend_slurm(tmp_path, monkeypatch)
    command = [
        "branch",
        f"{run}@4",
        "--steps",
        "6",
        "--branches",
        "2",
        "--runs",
        tmp_path / "out",
        "--executor",
        "slurm",
    ]
    first = called(*command, "--slurm", "partition=gpu")
    assert first.code == 0, first.err
    assert "Start the same command again" in first.out
    again = called(*command, "--json")
    assert [state["state"] for state in json.loads(again.out)["waiting"]] == ["queued", "queued"]
    assert (programs / "sbatch.calls").read_text().count("called") == 1
    refused = called(*command, "--slurm", "partitoin=gpu")
    assert refused.code == 2
    assert "partition" in refused.err


def test_bad_calls_are_refused_in_one_line(run: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "checkpoint-4"
    shutil.copytree(run / "checkpoint-4", foreign)
    stateless = tmp_path / "run"
    shutil.copytree(run, stateless, ignore=shutil.ignore_patterns("branches", "training_state.pt"))
    for arguments, words in (
        ([f"{stateless}@4"], "no state of the optimizer"),
        ([str(foreign)], "not of a run of zerosum train"),
        ([f"{run}@5"], "no state of this step"),
        ([str(run)], "Name its step"),
        ([f"{run}@4", "--branches", "1"], "Give at least 2"),
        ([f"{run}@4", "--until", "3"], "not after step 4"),
        ([f"{run}@4", "--until", "soon"], "Give a number, or 2t"),
        ([f"{run}@0"], "Give --steps"),
        ([f"{run}@4", "--steps", "2", "--until", "8"], "Leave one out"),
        ([f"{run}@4", "--by", "colour"], "Use one of"),
    ):
        answer = called("branch", *arguments)
        assert (answer.code, answer.err.count("\n")) == (2, 1), answer.err
        assert words in answer.err


def test_branches_keep_the_rates_of_their_run(tmp_path: Path, run: Path) -> None:
    recipe = tiny_recipe(run.parent / "corpus", schedule={"kind": "wsd", "decay_steps": 4, "warmup_steps": 2})
    train(recipe, tmp_path / "wsd")
    assert run_and_step(f"{tmp_path}/wsd@4")[1] == 4
    early = other_order(tmp_path / "wsd", 4, 8, 1)
    assert early.schedule.kind == "constant"
    assert [early.learning_rate(s) for s in range(5, 9)] == [recipe.learning_rate(s) for s in range(5, 9)]
    assert other_order(tmp_path / "wsd", 8, 12, 1).schedule == recipe.schedule
    with pytest.raises(InputError, match="the rate falls there"):
        other_order(tmp_path / "wsd", 4, 10, 1)
