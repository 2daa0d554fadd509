"""The demo as a user runs it: a process that is started, killed, started again; its folder, its JSON, its refusals."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from called import one_document
from tiny_demo import BLANK, DEMO, tiny_suite
from warm_processes import start_verb

pytest.importorskip("torch")


def numbers(text):
    """The summary without what rightly differs between calls: how the command was typed, and its folder."""
    summary = json.loads(text)
    summary["provenance"].pop("command")
    for one in summary["runs"]:
        one["fit"].pop("source")
        for matrix in one.get("harms", ()):
            matrix.pop("source")
    return summary


def written(folder):
    return numbers((folder / "summary.json").read_text())


@pytest.fixture
def demo(call, monkeypatch, blank_figures):
    """demo(option, ...) -> exit code, stdout, stderr of the tiny demo in this process, without drawings."""
    monkeypatch.setattr("zerosum.recipes.demo_suite", tiny_suite)
    return lambda *options: call("demo", *options)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Folder, stdout and stderr of the tiny demo."""
    place = tmp_path_factory.mktemp("demo")
    process = start_verb("demo", "--out", place / "out", "--json", output=place / "said", prepare="tiny_demo:prepare")
    process.join()
    out, err = ((place / f"said{ending}").read_text() for ending in (".out", ".err"))
    assert process.exitcode == 0, err
    return place / "out", out, err


def test_json_is_one_document_and_nothing_else(finished):
    folder, out, err = finished
    document = json.loads(out)
    assert document == json.loads((folder / "summary.json").read_text())
    assert "training: done in" in err


def test_json_has_the_promised_names(finished):
    runs = json.loads(finished[1])["runs"]
    assert len(runs) == 2
    interference = {"R", "D", "M", "delta_L", "harmful_share", "N", "null", "null_unit", "excess", "interval"}
    for one in runs:
        assert {"name", "n_params", "steps", "final_loss", "fit", "double", "one_step"} <= one.keys()
        assert {"L_d", "t_d", "r_d", "L_T", "L_T_hat", "rsle"} <= one["fit"].keys()
        assert [(p["from_step"], p["to_step"]) for p in one["double"]] == [(2**k, 2 ** (k + 1)) for k in range(6)]
        assert all(interference <= pair.keys() for pair in one["double"])
        assert {(s["step"], s["split"]) for s in one["one_step"]} == {
            (2**k, split) for k in range(7) for split in ("heldout", "batch")
        }
        assert all(interference <= step.keys() for step in one["one_step"])


def test_a_run_has_one_fit(finished, call, blank_figures):
    """The demo, `zerosum fit` and `zerosum report` say the same of one run, and so does its `fit.json`."""
    folder, printed, _ = finished
    own = json.loads(printed)["runs"][0]["fit"]
    run_folder = Path(own["source"]).parent
    commands = (["fit", run_folder], ["report", run_folder, "--out", folder.parent / "page"])
    fit, report = (one_document(call(*command, "--json")[1]) for command in commands)
    written = json.loads((run_folder / "zerosum" / "fit.json").read_text())
    for other in (fit["curves"][0], report["runs"][0]["curve"], written):
        assert [other[name] for name in ("t_d", "L_d", "r_d", "cutoff", "verdict")] == [
            own[name] for name in ("t_d", "L_d", "r_d", "cutoff", "verdict")
        ]
        assert other["intervals"] == own["intervals"]


def test_identities_hold_in_what_is_printed(finished):
    for one in json.loads(finished[1])["runs"]:
        for found in one["double"] + one["one_step"]:
            assert found["D"] == pytest.approx(1 - abs(found["R"]), abs=1e-12)
            assert found["delta_L"] == pytest.approx(found["M"] * found["R"], abs=1e-12)
            assert found["harmful_share"] == pytest.approx((1 + found["R"]) / 2, abs=1e-12)
            assert found["excess"] == pytest.approx(found["D"] - found["null_unit"], abs=1e-12)
            low, high = found["interval"]["D"]
            assert 0 <= low <= found["D"] <= high <= 1


def test_no_null_without_its_reason(finished):
    estimate = {"value", "interval", "N", "unit", "reason"}

    def check(value, path=""):
        if isinstance(value, dict):
            for name, inner in value.items():
                if inner is None and not (estimate <= value.keys() and name == "reason"):
                    assert value.get(f"{name}_reason") or value.get("reason"), f"{path}.{name}"
                check(inner, f"{path}.{name}")
        elif isinstance(value, list):
            for inner in value:
                check(inner, path)

    document = json.loads(finished[1])
    document.pop("provenance")
    check(document)


def test_the_store_is_labelled(finished):
    import zerosum

    run_folder = next(path for path in finished[0].iterdir() if (path / "metrics.jsonl").is_file())
    store = zerosum.open_store(run_folder / "zerosum" / "losses.zarr")
    assert store["loss"].dims == ("checkpoint", "sequence", "position")
    assert store["loss"].dtype == "float32"
    assert store["step"].values.tolist() == [0, 1, 2, 4, 8, 16, 32, 64]
    assert store["tokens_seen"].values.tolist() == [step * 24 * 32 for step in store["step"].values]
    assert store["loss"].size == 8 * 256 * 32
    assert len(store.attrs["weight_sha256"]) == 8


def copy_not_measured(finished, folder):
    """The finished demo, its runs trained and not measured; one of the runs."""
    shutil.copytree(finished[0], folder)
    for measured in (*folder.glob("*/zerosum"), *folder.glob("*/branches")):
        shutil.rmtree(measured)
    return next(path for path in folder.iterdir() if path.is_dir())


def last_line(code, said):
    """The last line of a demo that could not go on; lines of progress may come before it."""
    assert code == 2, said
    assert "Traceback" not in said
    return said.splitlines()[-1]


def test_no_place_for_what_is_measured_is_one_line(finished, tmp_path, demo):
    one = copy_not_measured(finished, tmp_path / "out")
    (one / "zerosum").write_text("in the way")
    code, _, said = demo("--out", tmp_path / "out")
    assert f"{one}: cannot be written" in last_line(code, said)


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process")
def test_a_disk_that_fills_up_while_measuring_is_one_line(finished, tmp_path):
    copy_not_measured(finished, tmp_path / "out")
    process = start_verb(
        "demo", "--out", tmp_path / "out", output=tmp_path / "said", prepare="tiny_demo:prepare_with_a_full_disk"
    )
    process.join()
    message = last_line(process.exitcode, (tmp_path / "said.err").read_text())
    assert "cannot be written (File too large)" in message
    # The other worker is ended at any moment: its lock may stay, and is known to be stale by the next call.
    assert not list((tmp_path / "out").rglob("losses.zarr"))


def test_again_is_quick_and_the_same(finished, demo):
    folder = finished[0]
    before = written(folder)
    weights = {path: path.stat().st_mtime_ns for path in folder.rglob("*.safetensors")}
    code, out, _ = demo("--out", folder)
    assert code == 0
    assert written(folder) == before
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.safetensors")} == weights
    assert "Report:" in out


def test_killed_at_any_moment_it_ends_with_the_same_numbers(finished, tmp_path, demo):
    """Three kills at random moments of the whole job, a folder of its own, then one call that finishes."""
    folder = tmp_path / "out"
    for _ in range(3):
        process = start_verb("demo", "--out", folder, environment=BLANK, prepare="tiny_demo:prepare")
        time.sleep(random.uniform(0.2, 3.0))  # noqa: S311 - not for cryptography
        process.kill()
        process.join()
    code, _, said = demo("--out", folder)
    assert code == 0, said
    assert written(folder) == numbers(finished[1])
    assert not list(folder.rglob("*.part"))


@pytest.mark.skipif(sys.platform == "win32", reason="process groups of a terminal")
def test_interrupted_it_says_how_to_go_on(tmp_path):
    """Ctrl-C reaches every process of a terminal's group: one line, no traceback of a worker."""
    command = [*DEMO, "--out", str(tmp_path / "out")]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    )  # fmt: skip
    while not (tmp_path / "out" / "demo.json").is_file():
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(2.0)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "zerosum: stopped. Start the same command again: it continues."
    assert "Traceback" not in said


def test_more_seeds_keep_the_runs_and_add_intervals(finished, demo):
    folder = finished[0]
    before = written(folder)["runs"]
    code, _, said = demo("--out", folder, "--seeds", 2)
    assert code == 0, said
    after = written(folder)
    assert [one for one in after["runs"] if one["seed"] == 0] == before
    assert len(after["runs"]) == 4
    size = after["across_seeds"][0]
    assert size["seeds"] == [0, 1]
    assert size["final_loss_interval"][0] < size["final_loss"] < size["final_loss_interval"][1]


@pytest.mark.parametrize("option", [("--seed", 5), ("--quick",)])
def test_a_demo_of_other_settings_is_not_mixed(finished, demo, option):
    code, _, said = demo("--out", finished[0], *option)
    assert code == 2
    assert said.count("\n") == 1
    assert "holds a demo of other settings" in said
