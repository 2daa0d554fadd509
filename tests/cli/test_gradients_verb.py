"""`zerosum gradients` as a user calls it."""

import csv
import json
import shutil

import numpy as np
import pytest
from called import one_document
from tiny import TRAINED_STEPS, VOCABULARY, save_checkpoint, tiny_model

import zerosum
import zerosum.gradients

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from zerosum import checkpoints  # noqa: E402 - needs torch
from zerosum.gradients import checkpoint  # noqa: E402


def load(path):
    return transformers.AutoModelForCausalLM.from_pretrained(path)


def test_two_checkpoints_give_the_numbers_of_the_library(call, run, tmp_path):
    after = ("--after", run / "checkpoint-2", "--verify", 3, "--out", tmp_path / "out", "--json")
    code, out, said = call("gradients", run / "checkpoint-1", "--data", run / "ids.npy", *after)
    assert code == 0, said
    (found,) = one_document(out)["checkpoints"]
    expected = zerosum.gradient_interference(
        load(run / "checkpoint-1"), np.load(run / "ids.npy"), load(run / "checkpoint-2"), method="exact"
    ).to_json()
    for name in ("N", "D_grad", "D_grad_matrices", "C_g", "C_ug", "C_uG", "D_loss", "null", "parameters", "layers"):
        assert found[name] == expected[name], name
    assert found["C_uG"] == pytest.approx(1, abs=1e-3)  # gradient descent on these very tokens
    assert found["intervals"]["D_loss"] == expected["intervals"]["D_loss"]
    assert (found["step"], found["verify"]["K"]) == (1, 3)
    assert max(found["verify"][name] for name in ("norm_l1", "norm_l2", "moved")) < 1e-5
    assert found["verify"]["first_order"] < 1e-4
    assert "step 2 minus step 1" in found["notes"][-1]
    assert json.loads((tmp_path / "out" / "gradients.json").read_text())["checkpoints"] == [found]
    rows = list(csv.DictReader((tmp_path / "out" / "parameters.csv").open()))
    assert [float(row["D_grad"]) for row in rows] == [one["D_grad"] for one in found["parameters"]]
    store = zerosum.gradients.open_gradients(run / "zerosum" / "gradients.zarr")
    assert store.attrs["documents"] == [found]
    assert sorted(one.name for one in (run / "zerosum").iterdir()) == ["gradients.zarr"]
    changes = store["first_order"].to_numpy()[0]
    assert np.abs(changes).mean() == pytest.approx(found["M_first_order"], rel=1e-12)
    assert np.abs(store["loss_change"].to_numpy()).mean() == pytest.approx(found["M_loss"], rel=1e-12)
    moved = sum(one["sum_ij_abs_p"] for one in found["parameters"])
    assert float(store["moved"].sum()) == pytest.approx(moved, rel=1e-6)
    assert store["parameter"].to_numpy().tolist() == [one["name"] for one in found["parameters"]]


def test_one_real_step_of_the_saved_optimizer(call, run):
    code, out, said = call(
        "gradients", run / "checkpoint-1", "--data", run / "train.npy", "--train", run / "train.npy", "--json"
    )
    assert code == 0, said
    (found,) = one_document(out)["checkpoints"]
    assert found["C_uG"] == pytest.approx(1, abs=1e-5)  # the batch is all of these tokens, and clipping only scales
    assert found["first_order"]["delta_L"] < 0
    assert any("32 training sequences" in note for note in found["notes"])


def test_a_step_is_taken_as_the_call_says(call, run):
    """A batch of all 32 sequences, a new optimizer, no clipping: the update is known."""
    options = ("--optimizer", "sgd:lr=0.5", "--clip", 0, "--batch-size", 32, "--json")
    train = ("--data", run / "ids.npy", "--train", run / "train.npy")
    code, out, said = call("gradients", run / "checkpoint-1", *train, *options)
    assert code == 0, said
    (found,) = one_document(out)["checkpoints"]
    model, ids = load(run / "checkpoint-1"), torch.as_tensor(np.load(run / "train.npy"))
    model(input_ids=ids, labels=ids).loss.backward()
    update = {name: -0.5 * parameter.grad for name, parameter in model.named_parameters()}
    expected = zerosum.gradient_interference(model, np.load(run / "ids.npy"), update)
    assert found["M_first_order"] == pytest.approx(expected.first_order.M, rel=1e-4)
    assert found["C_ug"] == pytest.approx(expected.C_ug, rel=1e-4)
    assert any("SGD on 32 training sequences" in note for note in found["notes"])
    assert not any("assumed" in note for note in found["notes"])
    code, out, said = call("gradients", run / "checkpoint-1", *train, "--batch-size", 99)
    assert (code, "too few for a batch of 99" in said, "--batches" in said) == (2, True, False)


def test_a_run_is_measured_checkpoint_by_checkpoint_and_continued(call, run, monkeypatch):
    arguments = ("gradients", run, "--data", run / "ids.npy", "--method", "sampled", "--sample", 48)
    code, out, said = call(*arguments, "--json")
    assert code == 0, said
    first = one_document(out)["checkpoints"]
    assert [one["step"] for one in first] == list(TRAINED_STEPS)
    assert {one["method"] for one in first} == {"sampled"}
    store = run / "zerosum" / "gradients.zarr"
    assert zerosum.gradients.open_gradients(store)["step"].to_numpy().tolist() == list(TRAINED_STEPS)
    shutil.rmtree(store / "step-2")
    (store / "step-4" / "zarr.json").write_text("{damaged")
    measured = []
    real = checkpoint.measure
    monkeypatch.setattr(checkpoint, "measure", lambda *a, **b: measured.append(1) or real(*a, **b))
    code, out, _ = call(*arguments, "--json")
    again = one_document(out)["checkpoints"]
    (problem,) = again[2].pop("problems")
    assert (problem["code"], problem["steps"]) == ("measured-again", [4])
    assert "damaged (zarr.json has changed since it was written)" in problem["message"]
    assert (code, again, len(measured)) == (0, first, 2)
    loaded, load = [], checkpoints.load_model
    monkeypatch.setattr(checkpoints, "load_model", lambda *a, **b: loaded.append(1) or load(*a, **b))
    code, out, _ = call(*arguments, "--json")
    assert (code, one_document(out)["checkpoints"], len(measured)) == (0, first, 2)
    assert len(loaded) == 1  # for its vocabulary
    code, out, _ = call(*arguments, "--seed", 1, "--json")
    assert len(measured) == 5
    assert [one["D_grad"] for one in one_document(out)["checkpoints"]] != [one["D_grad"] for one in first]
    assert zerosum.gradients.open_gradients(store).attrs["documents"] == first  # the other seed has its own
    before = zerosum.gradients.open_gradients(store).load()
    code, out, said = call("gradients", run, "--data", run / "train.npy", "--store", store, "--json")
    assert code == 2
    assert "made with other tokens" in said
    for method, number in (("positionwise", 3), ("positionwise", 3), ("general", 4)):
        code, out, said = call("gradients", run, "--data", run / "train.npy", "--method", method, "--json")
        assert code == 0, said
        assert len(list((run / "zerosum").glob("gradients*.zarr"))) == number
    assert zerosum.gradients.open_gradients(store).load().equals(before)


def test_what_was_measured_holds_by_content(call, run, tmp_path, monkeypatch):
    shutil.copytree(run, tmp_path / "before")
    call("gradients", tmp_path / "before", "--data", run / "ids.npy")
    (tmp_path / "before").rename(tmp_path / "after")
    config = tmp_path / "after" / "checkpoint-2" / "config.json"
    config.write_text(config.read_text().replace("10000.0", "100.0"))
    measured, real = [], checkpoint.measure
    monkeypatch.setattr(checkpoint, "measure", lambda *a, **b: measured.append(1) or real(*a, **b))
    code, out, said = call("gradients", tmp_path / "after", "--data", run / "ids.npy", "--json")
    assert (code, len(measured)) == (0, 1), said
    assert all("after" in one["source"] for one in one_document(out)["checkpoints"])


def test_for_people(call, run):
    code, out, _ = call("gradients", run, "--data", run / "ids.npy", columns=80)
    assert code == 0
    assert "No C_g, C_ug, C_uG" in out
    assert len(out.splitlines()) <= 24
    assert max(map(len, out.splitlines())) <= 80
    code, out, _ = call("gradients", run, "--data", run / "ids.npy", "--details")
    assert code == 0
    for word in ("model.layers.0", "N = 288", "exact"):
        assert word in out, word
    assert "more:" not in out
    one = ("gradients", run / "checkpoint-1", "--data", run / "ids.npy", "--after", run / "checkpoint-4")
    code, out, _ = call(*one, "--verify", 3, columns=80)
    assert code == 0
    for word in ("D_first_order", "C_ug", "N\xa0=\xa0288", "exact", "[0.", "3 tokens by one backward pass each"):
        assert word in out, word
    assert len(out.splitlines()) <= 24


def test_an_answer_of_many_checkpoints_with_intervals_is_one_screen(call, run):
    code, out, _ = call(
        *("gradients", run, "--data", run / "ids.npy", "--train", run / "train.npy", "--method", "sampled"),
        *("--sample", 48),
        columns=80,
    )
    assert code == 0
    assert len(out.splitlines()) <= 24
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--after", "checkpoint-2"], "3 checkpoints"),
        (["--train", "train.npy", "--after", "checkpoint-2"], "two updates"),
        (["--clip", "0"], "Give --train"),
        (["--store", "."], "not the name of a folder"),
        (["--store", "checkpoint-1"], "something else"),
    ],
)
def test_calls_that_make_no_sense_are_one_line(call, run, monkeypatch, arguments, words):
    monkeypatch.chdir(run)
    code, out, said = call("gradients", ".", "--data", "ids.npy", *arguments)
    assert (code, out) == (2, "")
    assert words in said
    assert len(said.splitlines()) == 1


@pytest.fixture
def others(tmp_path):
    """Checkpoints of another shape, without an optimizer's state, and with weights that are no numbers."""
    save_checkpoint(tmp_path, 9, tiny_model(intermediate_size=12))
    tiny_model().save_pretrained(tmp_path / "bare-1")
    broken = tiny_model()
    broken.lm_head.weight.data[0] = float("nan")
    broken.save_pretrained(tmp_path / "broken-3")
    np.save(tmp_path / "large.npy", np.full((2, 9), VOCABULARY))
    return tmp_path


def test_what_cannot_be_measured_is_one_line(others, capsys, call, run):
    capsys.readouterr()  # bars of saving
    ids = ("--data", run / "ids.npy")
    for arguments, words in (
        ((run / "checkpoint-1", *ids, "--after", others / "checkpoint-9"), "intermediate_size 12, not 8"),
        ((run / "checkpoint-1", *ids, "--after", run), "--after"),
        ((f"{others / 'bare-1'}@1", *ids, "--train", run / "train.npy"), "no optimizer state"),
        ((f"{others / 'broken-3'}@3", *ids), "not finite"),
        ((run / "checkpoint-1", "--data", others / "large.npy"), "vocabulary"),
        ((run / "checkpoint-1", *ids, "--method", "sampled", "--sample", 999), "method exact"),
        ((run / "checkpoint-1", *ids, "--dtype", "fp16"), "not a precision"),
    ):
        code, out, said = call("gradients", *arguments)
        assert (code, out) == (2, ""), said
        assert words in said
        assert len(said.splitlines()) == 1, said
    assert not [one for folder in (run, others) for one in folder.rglob("gradients.zarr*")]
