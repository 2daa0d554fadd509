"""A checkpoint by itself needs no step: its verbs measure it, and say that the step is not known."""

import shutil

import numpy as np
import pytest
from called import one_document
from tiny import VOCABULARY, labels, losses, parameter_groups, save_checkpoint, tiny_model

import zerosum
from zerosum.gradients import open_gradients
from zerosum.interference.labelled import StoreLosses

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")


@pytest.fixture
def model(tmp_path):
    """A folder whose name and files tell no step, with token ids beside it."""
    model = tiny_model()
    optimizer = torch.optim.SGD(parameter_groups(model), lr=0.1)
    save_checkpoint(tmp_path, 1, model, optimizer=optimizer).rename(tmp_path / "my model")
    np.save(tmp_path / "ids.npy", np.random.default_rng(0).integers(0, VOCABULARY, (40, 7)))
    return tmp_path / "my model"


def measured(call, verb, model, *options):
    """The document of the one checkpoint, twice the same, and what is printed for people at 80 columns."""
    arguments = (verb, model, "--data", model.parent / "ids.npy", *options)
    code, out, said = call(*arguments, "--json")
    assert code == 0, said
    assert one_document(call(*arguments, "--json")[1]) == one_document(out)
    code, shown, said = call(*arguments, columns=80)
    assert code == 0, said
    details = call(*arguments, "--details")[1]
    for text in (shown, details):
        assert "step -1" not in text
        assert "step 0" not in text
    return one_document(out), shown


def test_losses(call, model):
    (run,), shown = measured(call, "losses", model)[0]["runs"], measured(call, "losses", model)[1]
    (row,) = run["checkpoints"]
    assert row["step"] is None
    assert "PATH@STEP" in row["step_reason"]
    assert "at an unknown step" in shown
    store = zerosum.open_store(run["store"])
    assert store["step"].values.tolist() == [-1]
    (model.parent / "checkpoint-3").mkdir()
    shutil.copytree(model, model.parent / "checkpoint-3", dirs_exist_ok=True)
    code, out, said = call("losses", model.parent, "--data", model.parent / "ids.npy", "--json")
    assert code == 0, said
    assert one_document(out)["runs"][0]["store"] != run["store"]
    named = ("--store", run["store"], "--data", model.parent / "ids.npy")
    code, _, said = call("losses", f"{model}@7", *named)
    assert code == 2
    assert "a step is not known" in said


@pytest.mark.parametrize("verb", ["gradients", "dissent"])
def test_gradients_and_dissent(call, model, verb):
    document, _ = measured(call, verb, model)
    (found,) = document["checkpoints"]
    assert found["step"] is None
    assert "PATH@STEP" in found["step_reason"]
    assert found["source"] == str(model)
    assert found["units"] == "document"


def test_the_store_of_gradients(call, model):
    measured(call, "gradients", model)
    other = shutil.copytree(model, model.parent / "other model")
    tiny_model(seed=5).save_pretrained(other)
    measured(call, "gradients", other)
    stores = sorted((model.parent / "zerosum").glob("gradients*.zarr"))
    assert len(stores) == 2  # two models in one folder
    assert open_gradients(stores[1])["step"].values.tolist() == [-1]


def test_differences_and_real_steps(call, model):
    later = shutil.copytree(model, model.parent / "later model")
    tiny_model(seed=5).save_pretrained(later)
    document, _ = measured(call, "gradients", model, "--after", later)
    assert "step unknown minus step unknown" in document["checkpoints"][0]["notes"][-1]
    document, shown = measured(call, "step", model, "--train", model.parent / "ids.npy", "--batch-size", 8)
    (steps,) = document["steps"]
    assert (steps["step"], "PATH@STEP" in steps["step_reason"]) == (None, True)
    assert "From step unknown" in shown


def test_problems_of_an_unknown_step():
    attrs = {"problems": [{"code": "implausible-loss", "steps": [-1], "message": "step unknown: no number"}, 3]}
    store = losses(np.ones((1, 2, 3)), [-1], attrs=attrs, **labels(np.ones((2, 3), int)))
    found = StoreLosses.of(store)
    assert found.to_json()["problems"] == [attrs["problems"][0] | {"steps": []}, 3]
    assert [(problem.steps, problem.sentence) for problem in found.problems] == [((), "step unknown: no number")]


def test_several_checkpoints_need_their_steps(call, model):
    other = shutil.copytree(model, model.parent / "other model")
    code, _, said = call("losses", model, other, "--data", model.parent / "ids.npy")
    assert code == 2
    assert "neither its name nor its files state the step" in said
