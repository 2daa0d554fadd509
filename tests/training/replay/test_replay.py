"""A step of a run with an objective or groups is repeated from its checkpoint, or refused with a code."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_recipe import tiny_recipe

from zerosum.checkpoints import load_model, open_run
from zerosum.errors import InputError
from zerosum.tokens import TokenSequences
from zerosum.tokens.files import DataOptions, write_token_files
from zerosum.training import batch, one_step_losses, train
from zerosum.training.gradient_rule import PLAIN
from zerosum.training.optimizer_choice import Choice
from zerosum.training.recipe import Recipe
from zerosum.training.replay.one_update import one_update
from zerosum.training.replay.real_steps import real_steps
from zerosum.training.replay.replayed_rule import NotReplayable, training_domains
from zerosum.training.replay.updater import find_updater

PARTS: dict[str, dict[str, Any]] = {
    "z_loss": {"objective": {"kind": "z_loss", "c": 0.1}},
    "reweighting": {"objective": {"kind": "reweighting", "r": 0.2, "burn_in": 2}},
    "rho1": {"objective": {"kind": "rho1", "reference": "REFERENCE", "k": 0.3}},
    "pcgrad": {"aggregator": {"kind": "pcgrad", "by": "loss_quantiles"}},
    "domains": {"aggregator": {"kind": "pcgrad", "by": "domains", "groups": 2}},
}


@pytest.fixture(scope="module")
def home(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run as reference, and token files of two domains."""
    home = tmp_path_factory.mktemp("replay")
    train(tiny_recipe(corpus, steps=2, seed=8), home / "reference")
    documents = [{"text": file.read_text()} for file in sorted(corpus.glob("*.py"))]
    for name in ("a", "b"):
        (home / "texts" / name).mkdir(parents=True)
        lines = [json.dumps(document) + "\n" for document in documents["ab".index(name) :: 2]]
        (home / "texts" / name / "texts.jsonl").write_text("".join(lines))
    folders = tuple(str(home / "texts" / name) for name in "ab")
    write_token_files(home / "files", DataOptions(folders, "bytes", held_out=0.3))
    return home


def recipe_of(corpus: Path, home: Path, kind: str) -> Recipe:
    parts = json.loads(json.dumps(PARTS[kind]).replace("REFERENCE", str(home / "reference")))
    data = {"data": {"kind": "tokens", "folder": str(home / "files")}} if kind == "domains" else {}
    return tiny_recipe(corpus, steps=4, name=kind, **parts, **data)


@pytest.fixture(scope="module")
def runs(corpus: Path, home: Path) -> dict[str, Recipe]:
    recipes = {kind: recipe_of(corpus, home, kind) for kind in PARTS}
    for kind, recipe in recipes.items():
        train(recipe, home / kind)
    return recipes


@pytest.mark.parametrize("kind", list(PARTS))
def test_the_replayed_step_is_that_of_the_run(kind: str, runs: dict[str, Recipe], home: Path) -> None:
    recipe, checkpoint = runs[kind], next(c for c in open_run(home / kind).checkpoints if c.step == 2)
    of_run, held_out = batch(recipe, 2), batch(recipe, 99).ids
    model = load_model(checkpoint)
    updater = find_updater(checkpoint.path, model)
    assert "gradients as in recipe.yaml" in updater.notes[0]
    taken = next(real_steps(model, updater, of_run.ids[None], held_out, of_run.domain[None], tokens_per_batch=16))
    own = one_step_losses(recipe, checkpoint, held_out)
    np.testing.assert_allclose(taken.losses.batch_after, own.batch_after, atol=2e-6)
    np.testing.assert_allclose(taken.losses.held_out_after, own.held_out_after, atol=2e-6)
    logged = json.loads((home / kind / "metrics.jsonl").read_text().splitlines()[2])
    assert (taken.loss, taken.grad_norm) == pytest.approx((logged["loss"], logged["grad_norm"]), rel=1e-5)

    plain = replace(updater, rule=PLAIN)
    other = next(real_steps(model, plain, of_run.ids[None], held_out))
    if kind != "domains":  # the two domains are alike here, and not in conflict
        assert np.abs(other.losses.batch_after - own.batch_after).max() > 1e-5

    sgd = find_updater(checkpoint.path, model, Choice.parse("sgd:lr=1"), 0.0)
    assert sgd.rule.record() == updater.rule.record()
    moved = one_update(model, sgd, of_run.ids, of_run.domain)
    assert np.sqrt(sum(float((u**2).sum()) for u in moved.values())) == pytest.approx(logged["grad_norm"], rel=1e-5)


def test_what_is_gone_is_not_replayable(runs: dict[str, Recipe], home: Path, tmp_path: Path) -> None:
    def refused(folder: Path, words: str) -> None:
        with pytest.raises(NotReplayable, match=words) as caught:
            find_updater(folder, load_model(folder))
        assert caught.value.code == "not-replayable"
        assert "\n" not in str(caught.value)

    shutil.copytree(home / "rho1", tmp_path / "rho1")
    checkpoint = tmp_path / "rho1" / "checkpoint-2"
    find_updater(checkpoint, load_model(checkpoint))
    recipe_file, data_file = (tmp_path / "rho1" / name for name in ("recipe.yaml", "data.json"))
    kept = {file: file.read_text() for file in (recipe_file, data_file)}
    recipe_file.write_text(kept[recipe_file].replace(str(home / "reference"), str(tmp_path / "gone")))
    refused(checkpoint, "cannot be read .*gone")
    recipe_file.write_text(kept[recipe_file].replace(str(home / "reference"), str(home / "z_loss")))
    refused(checkpoint, "other weights")
    recipe_file.write_text(kept[recipe_file])
    data_file.write_text("{")
    refused(checkpoint, "its hash in data.json, cannot be read")
    data_file.write_text(kept[data_file])
    refused(Path(shutil.copytree(checkpoint, tmp_path / "rho1" / "best")), "the name of the folder does not state")

    recipe_file.unlink()
    updater = find_updater(checkpoint, load_model(checkpoint), Choice.parse("sgd:lr=1"))
    assert updater.rule.is_plain
    assert "recipe.yaml is not beside the checkpoint" in " ".join(updater.notes)


def test_domains_of_the_training_text(runs: dict[str, Recipe], home: Path) -> None:
    rule = find_updater(home / "domains" / "checkpoint-2", load_model(home / "domains" / "checkpoint-2")).rule
    ids = batch(runs["domains"], 0).ids
    without = TokenSequences(ids, np.arange(4), tuple("abcd"))
    with pytest.raises(NotReplayable, match="has no domains"):
        training_domains(rule, without)
    domains = np.array([1, 0, 1, 1], dtype=np.int32)
    named = TokenSequences(ids, np.arange(4), tuple("abcd"), domain_of=domains, domains=("x", "y"))
    np.testing.assert_array_equal(training_domains(rule, named), domains)
    packed = TokenSequences(ids, np.repeat(np.arange(4)[:, None], 8, 1), tuple("abcd"), domains, ("x", "y"))
    np.testing.assert_array_equal(training_domains(rule, packed), domains)


def test_data_without_domains_are_refused(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the data have 0 domains, which makes one group"):
        train(tiny_recipe(corpus, aggregator={"kind": "pcgrad", "by": "domains"}), tmp_path / "run")
