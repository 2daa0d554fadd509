"""`zerosum dissent` as a user calls it."""

import csv
import json
import shutil
import sys

import numpy as np
import pytest
from called import one_document
from tiny import TRAINED_STEPS, VOCABULARY, save_checkpoint, tiny_model
from warm_processes import start_verb

import zerosum.dissent
import zerosum.dissent.run

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


def test_one_checkpoint_gives_the_numbers_of_the_library(call, run):
    code, out, said = call("dissent", run / "checkpoint-2", "--data", run / "ids.npy", "--seed", 3, "--json")
    assert code == 0, said
    document = one_document(out)
    (found,) = document["checkpoints"]
    model = transformers.AutoModelForCausalLM.from_pretrained(run / "checkpoint-2")
    expected = zerosum.dissent.measure_dissent(model, np.load(run / "ids.npy"), unit=np.arange(24), seed=3).to_json()
    assert {name: found[name] for name in expected} == expected | {"units": "document"}  # each row of .npy is one
    assert (found["step"], found["N"], found["n_sequences"]) == (2, 288, 24)
    assert (document["first_reached"], document["errors"]) == ([], [])
    assert not (run / "zerosum").exists()


def test_a_run_is_measured_checkpoint_by_checkpoint_and_continued(call, run, monkeypatch):
    arguments = ("dissent", run, "--data", run / "ids.npy", "--json")
    code, out, said = call(*arguments)
    assert code == 0, said
    first = one_document(out)
    assert [one["step"] for one in first["checkpoints"]] == list(TRAINED_STEPS)
    assert [(one["of"], one["level"]) for one in first["first_reached"]] == [
        (place, level) for place in ("head", "body") for level in zerosum.dissent.DISSENT_LEVELS
    ]
    assert all(one["step"] is not None or one["reason"] for one in first["first_reached"])
    files = [run / "zerosum" / "dissent" / f"step-{step}.json" for step in TRAINED_STEPS]
    assert all(file.is_file() for file in files)
    files[1].unlink()
    files[2].write_text("{damaged")
    measured = []
    real = zerosum.dissent.run.measure_dissent
    monkeypatch.setattr(zerosum.dissent.run, "measure_dissent", lambda *a, **b: measured.append(1) or real(*a, **b))
    code, out, _ = call(*arguments)
    again = one_document(out)
    (problem,) = again["checkpoints"][2].pop("problems")
    assert (problem["code"], problem["steps"]) == ("measured-again", [4])
    assert "damaged (step-4.json has changed since it was written)" in problem["message"]
    assert (code, again, len(measured)) == (0, first, 2)
    code, out, _ = call(*arguments, "--tokens-per-batch", 24)
    assert (code, one_document(out), len(measured)) == (0, first, 2)  # batches change nothing
    code, out, _ = call(*arguments, "--seed", 1)
    assert len(measured) == 5
    code, out, _ = call(*arguments, "--max-sequences", 5)
    assert len(measured) == 8
    assert one_document(out)["checkpoints"][0]["N"] == 60
    assert len(list((run / "zerosum").glob("dissent-*"))) == 2
    code, out, _ = call(*arguments)
    assert (code, one_document(out), len(measured)) == (0, first, 8)


def print_measured():
    """Makes this process print a line on stderr for each checkpoint that it measures."""
    real = zerosum.dissent.run.measure_dissent

    def measure(*arguments, **options):
        sys.stderr.write("measured a checkpoint\n")
        return real(*arguments, **options)

    zerosum.dissent.run.measure_dissent = measure


def test_two_processes_share_the_checkpoints(call, run, tmp_path):
    command = ("dissent", run, "--data", run / "ids.npy", "--json")
    both = [
        start_verb(
            *command,
            output=tmp_path / str(rank),
            environment={"RANK": str(rank), "WORLD_SIZE": "2"},
            prepare=f"{__name__}:print_measured",
        )
        for rank in (0, 1)
    ]
    for process in both:
        process.join(timeout=300)
    out, silent, said, said_too = ((tmp_path / name).read_text() for name in ("0.out", "1.out", "0.err", "1.err"))
    assert [process.exitcode for process in both] == [0, 0], said + said_too
    assert (said + said_too).count("measured a checkpoint") == len(TRAINED_STEPS)
    assert silent == ""
    shutil.rmtree(run / "zerosum")
    code, alone, _ = call("dissent", run, "--data", run / "ids.npy", "--json")
    assert (code, one_document(alone)) == (0, one_document(out))
    folder = run / "zerosum" / "dissent"
    assert sorted(file.name for file in folder.iterdir()) == [f"step-{step}.json" for step in TRAINED_STEPS]


def test_what_was_measured_holds_by_content(call, run, tmp_path, monkeypatch):
    shutil.copytree(run, tmp_path / "before")
    call("dissent", tmp_path / "before", "--data", run / "ids.npy")
    (tmp_path / "before").rename(tmp_path / "after")
    config = tmp_path / "after" / "checkpoint-2" / "config.json"
    config.write_text(config.read_text().replace("10000.0", "100.0"))
    measured, real = [], zerosum.dissent.measure_dissent
    monkeypatch.setattr(zerosum.dissent.run, "measure_dissent", lambda *a, **b: measured.append(1) or real(*a, **b))
    code, out, said = call("dissent", tmp_path / "after", "--data", run / "ids.npy", "--json")
    assert (code, len(measured)) == (0, 1), said
    assert all("after" in one["source"] for one in one_document(out)["checkpoints"])


def test_files(call, run, tmp_path, blank_figures):
    code, out, said = call("dissent", run, "--data", run / "ids.npy", "--out", tmp_path / "out", "--json")
    assert code == 0, said
    page = {"report": str(tmp_path / "out" / "dissent.html")}
    assert json.loads((tmp_path / "out" / "dissent.json").read_text()) | page == one_document(out)
    for name in ("parameters", "layers"):
        rows = list(csv.DictReader((tmp_path / "out" / f"{name}.csv").open()))
        expected = [one["dissent"] for checkpoint in one_document(out)["checkpoints"] for one in checkpoint[name]]
        assert [float(row["dissent"]) for row in rows] == expected
    assert len(list((tmp_path / "out" / "figures").glob("*.svg"))) == 4
    assert "Dissent over training" in (tmp_path / "out" / "dissent.html").read_text()


@pytest.mark.parametrize("columns", [80, 120])
def test_for_people(call, run, columns):
    arguments = ("dissent", run, "--data", run / "ids.npy")
    code, out, _ = call(*arguments, columns=columns)
    assert code == 0
    assert len(out.splitlines()) <= 24
    for word in ("Step 4", "one vector", "N = 288", "--details"):
        assert word in " ".join(out.split()), word
    code, details, _ = call(*arguments, "--details", columns=columns)
    assert code == 0
    for word in ("at 0.99", "model.layers.0", "whole body", "are no label"):
        assert word in details, word
    assert max(map(len, [*out.splitlines(), *details.splitlines()])) <= columns
    arguments = ("dissent", run / "checkpoint-1", "--data", run / "ids.npy", "--max-sequences", 3)
    code, out, _ = call(*arguments)
    assert (code, "at 0.99" in out) == (0, False)
    assert "3 units" in " ".join(out.split())


def test_one_bad_checkpoint_among_good_ones(call, run, tmp_path):
    shutil.copytree(run, tmp_path / "copy")
    broken = tiny_model()
    broken.lm_head.weight.data[0] = float("nan")
    save_checkpoint(tmp_path / "copy", 2, broken)
    code, out, said = call("dissent", tmp_path / "copy", "--data", run / "ids.npy", "--json")
    document = one_document(out)
    assert (code, [one["step"] for one in document["checkpoints"]]) == (2, [1, 4])
    assert "not finite" in document["errors"][0]["message"]
    assert "1 of 3" in said


def test_what_cannot_be_measured_is_one_line(call, run, tmp_path, capsys):
    tiny_model("gemma2", head_dim=8, num_key_value_heads=1).save_pretrained(tmp_path / "capped-7")
    np.save(tmp_path / "large.npy", np.full((2, 9), VOCABULARY))
    capsys.readouterr()  # bars of saving
    for arguments, words in (
        ((f"{tmp_path / 'capped-7'}@7", "--data", run / "ids.npy"), "capped"),
        ((run / "checkpoint-1", "--data", tmp_path / "large.npy"), "vocabulary"),
        ((run / "checkpoint-1", "--data", run / "ids.npy", "--tokens-per-batch", "0"), "--tokens-per-batch"),
        ((run / "nothing", "--data", run / "ids.npy"), "nothing"),
        ((run / "checkpoint-1", "--data", run / "ids.npy", "--out", run / "ids.npy"), "--out"),
    ):
        code, out, said = call("dissent", *arguments)
        assert (code, out) == (2, ""), said
        assert words in said
        assert len(said.splitlines()) == 1, said
