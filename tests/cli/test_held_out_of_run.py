"""Without --data, verbs measure the held-out text that the recipe of the run names."""

import sys
from pathlib import Path

import numpy as np
import pytest
from called import one_document

pytest.importorskip("torch")
sys.path.insert(0, str(Path(__file__).parent.parent / "training"))

from tiny_recipe import tiny_recipe, write_corpus

import zerosum
from zerosum.checkpoints import load_model
from zerosum.training import train


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "corpus").mkdir()
    recipe = tiny_recipe(write_corpus(folder / "corpus"), averages=("last:2",))
    train(recipe, folder / "run")
    return folder / "run", recipe


def test_losses_of_the_held_out_text_of_the_recipe(run, call):
    folder, recipe = run
    code, out, said = call("losses", folder, "--json")
    assert code == 0, said
    (document,) = one_document(out)["runs"]
    store = zerosum.open_store(document["store"])
    tokens = recipe.data.open().held_out(store.sizes["sequence"], recipe.batch.length)
    assert tokens.sha256 == store.attrs["data_sha256"]
    last = folder / f"checkpoint-{recipe.steps}"
    loss = zerosum.token_losses(load_model(last), tokens.ids)
    np.testing.assert_allclose(store["loss"].values[-1], loss, atol=2e-6)


@pytest.mark.parametrize("verb", ["dissent", "gradients", "losses"])
def test_options_of_data_and_averages(run, call, verb):
    folder, _recipe = run
    options = (folder, "--average", "last:2", "--max-sequences", 2, "--sequence-length", 5, "--json")
    code, _out, said = call(verb, *options)
    assert code == 0, said
    code, _, said = call(verb, folder, "--bos", "no")
    assert code == 2
    assert "Give --data, or leave them out" in said


def test_a_step_on_training_text_is_measured_on_held_out_text(run, call, tmp_path):
    folder, recipe = run
    np.save(tmp_path / "train.npy", recipe.data.open().held_out(4, 8).ids)
    code, out, said = call("step", folder / f"checkpoint-{recipe.steps}", "--train", tmp_path / "train.npy", "--json")
    assert code == 0, said
    assert {row["split"] for row in one_document(out)["steps"][0]["batches"]} == {"batch", "heldout"}
