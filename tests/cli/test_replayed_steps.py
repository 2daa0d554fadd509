"""`zerosum step` and `zerosum gradients --train` on a run that trains on an objective with a reference model."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from called import call, one_document  # noqa: F401 (a fixture)

RECIPE = {
    "steps": 2,
    "model": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24},
    "batch": {"sequences": 4, "length": 8},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A reference run, a run that trains with it and with PCGrad, and token ids."""
    from zerosum.training import Recipe, train

    home = tmp_path_factory.mktemp("replayed")
    (home / "texts").mkdir()
    for number in range(12):
        (home / "texts" / f"{number}.py").write_text(f"x = {number}\n" * (5 + number))
    plain = {**RECIPE, "name": "reference", "data": {"folder": str(home / "texts")}}
    train(Recipe.model_validate(plain), home / "reference")
    rho1 = {"kind": "rho1", "reference": str(home / "reference"), "k": 0.5}
    more = {"name": "run", "objective": rho1, "aggregator": {"kind": "pcgrad", "groups": 2}}
    train(Recipe.model_validate({**plain, **more}), home / "run")
    np.save(home / "ids.npy", np.random.default_rng(0).integers(0, 257, (24, 9)))
    return home


def test_verbs_repeat_the_objective_and_refuse_with_a_code(call, home, tmp_path):  # noqa: F811
    run = Path(shutil.copytree(home / "run", tmp_path / "run"))
    ids, checkpoint = home / "ids.npy", run / "checkpoint-2"
    step = ("step", checkpoint, "--train", ids, "--data", ids, "--batches", 1, "--json")
    gradients = ("gradients", checkpoint, "--train", ids, "--data", ids, "--device", "cpu", "--json")
    documents = []
    for verb, key in ((step, "steps"), (gradients, "checkpoints")):
        code, out, err = call(*verb)
        assert code == 0, err
        [found] = one_document(out)[key]
        assert "gradients as in recipe.yaml: objective rho1, aggregator pcgrad" in " ".join(found["notes"])
        documents.append(found)
    assert (documents[0]["optimizer"]["lr"], documents[0]["batch_size"]) == (5e-4, 4)

    recipe = run / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace(str(home / "reference"), str(tmp_path / "gone")))
    shutil.rmtree(run / "zerosum", ignore_errors=True)
    for verb in (step, gradients):
        code, out, err = call(*verb)
        assert code == 2
        [error] = one_document(out)["errors"]
        assert error["code"] == "not-replayable"
        assert len(err.strip().splitlines()) == 1

    plain = one_document(call(*step[:-1], "--json", "--optimizer", "sgd:lr=0.1")[1])
    assert plain["errors"][0]["code"] == "not-replayable"
    assert "code" not in one_document(call("step", tmp_path, *step[2:])[1])["errors"][0]
