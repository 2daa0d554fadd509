"""Many runs from one file: what the file asks for, runs side by side, kills, failures, jobs of a cluster."""

import json
import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from command_line import called_with
from pretend_slurm import pretend_slurm
from warm_processes import start_verb

from zerosum.errors import InputError
from zerosum.sweep import read_plan, states
from zerosum.sweep.slurm import TrainingJob, queued_jobs, submit
from zerosum.sweep.status import note_failure
from zerosum.sweep.work import train_one
from zerosum.training import Recipe, train
from zerosum.training.cost import read_cost
from zerosum.training.notices import TrainingWarning

LOSSES = "metrics.jsonl"


def change(file: Path, **more: object) -> Path:
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | more))
    return file


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[dict, int]:
    code = called_with("sweep", *arguments, "--json")
    return json.loads(capsys.readouterr().out), code


def test_the_grid_is_every_combination_and_seed(file: Path) -> None:
    plan = read_plan(file, file.parent / "out")
    assert [run.folder.name for run in plan.runs] == [
        f"tiny-optimizer.lr={rate}-seed{seed}" for rate in ("0.001", "0.01") for seed in (0, 1)
    ]
    assert [(run.recipe.optimizer.lr, run.recipe.seed) for run in plan.runs] == [
        (0.001, 0), (0.001, 1), (0.01, 0), (0.01, 1),
    ]  # fmt: skip
    assert {run.recipe.held_out for run in plan.runs} == {4}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"recipess": []}, "recipess: not known. Did you mean recipes"),
        ({"recipes": []}, "recipes: List should have at least 1 item"),
        ({"recipes": ["tiny_25kk"]}, "rates.yaml: tiny_25kk: not known. Did you mean tiny_25k?"),
        ({"grid": {"optimizer.lrr": [1]}}, "optimizer.lrr: not known. Did you mean lr"),
        ({"grid": {"optimizer.lr": 1}}, "grid.optimizer.lr: "),
        ({"seeds": [0, 0]}, "more than once"),
        ({"seeds": list(range(6000))}, "12,000 runs, more than 10,000"),
        ({"slurm": {"hours": 3}}, "slurm.hours: not known"),
    ],
)
def test_a_file_that_asks_for_the_impossible_is_one_line(file: Path, more: dict, words: str) -> None:
    with pytest.raises(InputError) as caught:
        read_plan(change(file, **more), file.parent / "out")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_file_and_no_yaml(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("recipes: [")
    for name in ("a.yaml", "b.yaml"):
        with pytest.raises(InputError, match="cannot be read as a sweep"):
            read_plan(tmp_path / name)


def test_a_sweep_trains_every_run_as_alone_and_its_failures_stop_no_other(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = file.parent / "out"
    change(file, grid={"optimizer.lr": [1e-3, 1e30]}, seeds=[0])
    document, code = printed(capsys, file, "--out", out, "--jobs", 2)
    assert code == 2
    good, bad = document["runs"]
    assert (good["state"], good["step"], bad["state"]) == ("done", 12, "failed")
    assert "training diverged" in bad["error"]
    assert [state.diverged for state in states(read_plan(file, out))] == [False, True]
    cost = read_cost(Path(good["out"]))
    assert (cost.updates, cost.seconds > 0 < cost.peak_memory) == (12, True)
    assert [error["source"] for error in document["errors"]] == [Path(bad["out"]).name]

    alone = file.parent / "alone"
    train(read_plan(file, out).runs[0].recipe, alone)
    assert (alone / LOSSES).read_bytes() == (out / "tiny-optimizer.lr=0.001-seed0" / LOSSES).read_bytes()
    assert good["held_out_loss"] == json.loads((alone / LOSSES).read_text().splitlines()[-1])["held_out_loss"]

    change(file, grid={"optimizer.lr": [1e-3]}, seeds=[0, 1])  # a sweep grows: what is done stays
    before = (out / "tiny-optimizer.lr=0.001-seed0" / "checkpoint-12" / "model.safetensors").stat().st_mtime_ns
    document, code = printed(capsys, file, "--out", out, "--jobs", 1)
    assert code == 0
    assert [run["state"] for run in document["runs"]] == ["done", "done"]
    after = (out / "tiny-optimizer.lr=0.001-seed0" / "checkpoint-12" / "model.safetensors").stat().st_mtime_ns
    assert after == before


def test_status_trains_nothing(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document, code = printed(capsys, file, "--out", file.parent / "out", "--status")
    assert code == 0
    assert {(run["state"], run["step"], run["loss"]) for run in document["runs"]} == {("waiting", 0, None)}
    assert not (file.parent / "out").exists()
    documented = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")
    assert [key for key in document["runs"][0] if f"`{key.removesuffix('_reason')}`" not in documented] == []


def test_a_killed_sweep_continues_and_ends_the_same(file: Path) -> None:
    change(file, set={"steps": 120, "resume_every": 20}, grid={}, seeds=[0, 1])
    out, plan = file.parent / "out", read_plan(file, file.parent / "out")
    command = ("sweep", file, "--out", out, "--jobs", "2")
    process = start_verb(*command)
    log = plan.runs[0].folder / LOSSES
    while process.is_alive() and not (log.exists() and log.read_bytes().count(b"\n") > 30):
        time.sleep(0.01)
    process.kill()
    process.join()
    stopped = states(plan)
    again = start_verb(*command)
    again.join(120)
    assert again.exitcode == 0
    assert [state.state for state in states(plan)] == ["done", "done"]
    assert any(state.state != "done" and state.step > 0 for state in stopped)
    whole = file.parent / "whole"
    train(plan.runs[1].recipe, whole)
    assert (whole / LOSSES).read_bytes() == (plan.runs[1].folder / LOSSES).read_bytes()


def test_a_failure_is_forgotten_when_the_run_is_tried_anew(file: Path) -> None:
    plan = read_plan(file, file.parent / "out")
    note_failure(plan, plan.runs[0], "no space")
    assert states(plan)[0].error == "no space"
    assert train_one(plan, plan.runs[0]) is None
    assert (states(plan)[0].state, states(plan)[0].error) == ("done", None)


def test_notices_of_a_run_are_warnings_that_name_it(file: Path) -> None:
    plan = read_plan(change(file, set={"schedule.warmup_steps": 12}), file.parent / "out")
    with pytest.warns(TrainingWarning, match=r"step 0: tiny-optimizer\.lr=0\.001-seed0: schedule\.warmup_steps 12"):
        train_one(plan, plan.runs[0])


def test_a_failed_run_is_a_failed_job(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import submitit

    plan = read_plan(change(file, grid={"optimizer.lr": [1e30]}), file.parent / "out")
    monkeypatch.setattr(submitit, "JobEnvironment", lambda: SimpleNamespace(num_tasks=1))
    with pytest.raises(RuntimeError, match="training diverged"):
        TrainingJob(plan, plan.runs[0])()
    assert states(plan)[0].state == "failed"
    monkeypatch.setenv("RANK", "1")  # of several processes the first alone notes
    note_failure(plan, plan.runs[0], None)
    assert "training diverged" in str(train_one(plan, plan.runs[0]))
    assert states(plan)[0].state == "waiting"


def test_a_job_that_is_preempted_is_requeued_and_ends_the_same(file: Path) -> None:
    """submitit's local executor stands in for SLURM: SIGUSR2 is what SLURM sends before it takes a node away."""
    change(file, set={"steps": 200, "resume_every": 20}, grid={}, seeds=[0])
    plan = read_plan(file, file.parent / "out")
    submit(plan, states(plan), None, cluster="local")
    run = plan.runs[0].folder
    assert list(queued_jobs(plan, "local")) == [run.name]
    while not ((run / LOSSES).exists() and (run / LOSSES).read_bytes().count(b"\n") > 30):
        time.sleep(0.02)
    holder = json.loads((run / "training.lock").read_text())["pid"]
    os.kill(holder, signal.SIGUSR2)
    end = time.monotonic() + 90
    while states(plan)[0].state != "done" and time.monotonic() < end:
        time.sleep(0.2)
    logs = "".join(path.read_text() for path in (plan.out / "slurm").glob("*_log.*"))
    assert "Requeued job" in logs
    assert states(plan)[0].state == "done"

    train(plan.runs[0].recipe, file.parent / "whole")
    assert (file.parent / "whole" / LOSSES).read_bytes() == (run / LOSSES).read_bytes()


def test_jobs_that_sbatch_refuses_are_one_line(file: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    programs = pretend_slurm(file.parent, monkeypatch)
    (programs / "sbatch").write_text(
        "#!/bin/sh\necho 'sbatch: error: invalid partition specified: nowhere' >&2\nexit 1\n"
    )
    plan = read_plan(file, file.parent / "out")
    with pytest.raises(InputError, match=r"sbatch refused the jobs .*invalid partition specified: nowhere"):
        submit(plan, states(plan), None)
    assert capsys.readouterr().err == ""
    assert not (plan.out / "jobs.json").exists()


def test_a_run_whose_sweep_was_killed_has_not_failed(file: Path) -> None:
    plan = read_plan(file, file.parent / "out")

    def report(*news: object) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        train_one(plan, plan.runs[0], report)
    assert states(plan)[0].error is None


def test_what_slurm_is_asked_for(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = pretend_slurm(file.parent, monkeypatch, "4711_2|PENDING")
    settings = {"partition": "gpu", "minutes": 90, "gpus": 4, "nodes": 2, "memory_gb": 64, "more": {"account": "lab"}}
    plan = read_plan(change(file, slurm=settings), file.parent / "out")
    submit(plan, states(plan), 3)
    for line in (
        "--partition=gpu", "--time=90", "--gpus-per-node=4", "--nodes=2", "--ntasks-per-node=4", "--mem=64GB",
        "--account=lab", "--array=0-3%3",
    ):  # fmt: skip
        assert line in (programs / "script.sh").read_text()
    jobs = plan.out / "jobs.json"
    assert json.loads(jobs.read_text())[plan.runs[2].folder.name] == "4711_2"
    assert len(queued_jobs(plan)) == 4  # three of them are not known to SLURM yet: none is submitted twice
    old = jobs.stat().st_mtime - 3600
    os.utime(jobs, (old, old))
    assert list(queued_jobs(plan)) == [plan.runs[2].folder.name]


def test_slurm_that_is_not_there_is_one_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert called_with("sweep", file, "--out", file.parent / "out", "--executor", "slurm") == 2
    assert "sbatch is not found" in capsys.readouterr().err


def test_a_job_requeues_itself(file: Path) -> None:
    plan = read_plan(file, file.parent / "out")
    job = TrainingJob(plan, plan.runs[0])
    assert job.checkpoint().function is job
    assert isinstance(job.run.recipe, Recipe)
