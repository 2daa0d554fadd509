"""Runs with objectives and groups: killed and continued bit for bit, shared by two processes, refused where unfit."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from killed_runs import contents
from on_step import OnStep
from pydantic import ValidationError
from several_processes import end, rows, start
from tiny_recipe import tiny_recipe
from warm_processes import warm_processes

from zerosum.curves import read_curve
from zerosum.errors import InputError
from zerosum.training import batch, optimizer_step, restore, train
from zerosum.training.recipe import Recipe

GPT2 = {"family": "gpt2", "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 8, "vocab_size": 257}
DROPOUT = {"embd_pdrop": 0.1, "attn_pdrop": 0.1, "resid_pdrop": 0.1}
REWEIGHTING = {"kind": "reweighting", "r": 0.5}
IN_THREE = {"kind": "pcgrad", "groups": 3}
BY_LOSS = {"kind": "pcgrad", "groups": 3, "by": "loss_quantiles"}


class Killed(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("parts", [{}, {"aggregator": BY_LOSS}])
def test_a_run_that_ends_at_any_step_continues_bit_for_bit(corpus: Path, tmp_path: Path, parts: dict[str, Any]) -> None:
    model, sizes = {**GPT2, **DROPOUT}, {"sequences": 4, "length": 8, "passes": 2}
    recipe = tiny_recipe(corpus, steps=8, model=model, batch=sizes, objective=REWEIGHTING, **parts)
    train(recipe, tmp_path / "whole")

    def stop(step: int, loss: float) -> None:
        if step in stops:
            stops.remove(step)
            raise Killed

    stops = [2, 7]
    while stops:
        with pytest.raises(Killed):
            train(recipe, tmp_path / "cut", callbacks=(OnStep(stop),))
    train(recipe, tmp_path / "cut")
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def train_all(recipes: list[Recipe], folder: Path) -> None:
    for recipe in recipes:
        train(recipe, folder / recipe.name)


@pytest.fixture(scope="module")
def reference(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of four steps."""
    run = tmp_path_factory.mktemp("reference") / "run"
    train(tiny_recipe(corpus, steps=4, seed=8), run)
    return run


@pytest.fixture(scope="module")
def recipes(corpus: Path, reference: Path) -> list[Recipe]:
    """Every objective, with groups or without, in one pass or in two, the last shared by processes."""
    twice = {"sequences": 4, "length": 8, "passes": 2}
    rho1 = {"kind": "rho1", "reference": str(reference)}
    return [
        tiny_recipe(corpus, name="a", steps=3, objective=REWEIGHTING, batch=twice),
        tiny_recipe(corpus, name="b", steps=3, objective=rho1, aggregator=BY_LOSS),
        # Three groups of four sequences: the second of two processes has one pass more than the first.
        tiny_recipe(
            corpus, name="c", steps=3, objective={"kind": "z_loss"}, aggregator={"kind": "pcgrad", "groups": 3}
        ),
        tiny_recipe(corpus, name="d", steps=3, objective={"kind": "z_loss", "c": 0.1}, batch=twice),
        tiny_recipe(corpus, name="e", steps=3, objective={**rho1, "k": 0.4}, batch=twice, sharding="fsdp"),
    ]


@pytest.fixture(scope="module")
def trained(recipes: list[Recipe], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of all recipes, each in a folder of its name; only read."""
    folder = tmp_path_factory.mktemp("one")
    train_all(recipes, folder)
    return folder


def test_two_processes_train_what_one_trains(recipes: list[Recipe], trained: Path, tmp_path: Path) -> None:
    assert end(start(warm_processes(), 2, train_all, recipes, tmp_path)) == [0, 0]
    for recipe in recipes:
        one, two = (rows(folder / recipe.name) for folder in (trained, tmp_path))
        assert len(one) == len(two) == 3
        for ours, theirs in zip(two, one, strict=True):
            assert ours.keys() == theirs.keys()
            for name, value in theirs.items():
                assert ours[name] == pytest.approx(value, abs=2e-5, rel=2e-5), (recipe.name, name)


def test_columns_of_the_log(recipes: list[Recipe], trained: Path) -> None:
    plain = {"step", "tokens_seen", "loss", "lr", "grad_norm"}
    groups = {"conflict_rate", "conflict_rate_null", "mean_cosine", "n_groups", "smallest_group", "largest_group"}
    expected = [{"objective"}, {"objective", "reference_tokens", *groups}, {"objective", *groups}, {"objective"}]
    expected.append({"objective", "reference_tokens"})
    for recipe, more in zip(recipes, expected, strict=True):
        log = rows(trained / recipe.name)
        assert log[0].keys() == plain | more
        assert log[0]["loss"] == pytest.approx(5.55, abs=0.05)  # log 257, whatever the objective
        curve = read_curve(trained / recipe.name)
        np.testing.assert_allclose(curve.loss, [row["loss"] for row in log])
    assert [row["reference_tokens"] for row in rows(trained / "b")] == [32, 64, 96]
    for row in rows(trained / "c"):
        assert (row["n_groups"], row["smallest_group"], row["largest_group"]) == (3, 8, 16)
    facts = json.loads((trained / "b" / "data.json").read_text())
    assert len(facts["reference_sha256"]) == 64
    assert facts["reference_parameters"] == sum(
        parameter.numel() for parameter in restore(trained / "a" / "checkpoint-0", recipes[0]).plain_model.parameters()
    )


def test_a_step_is_replayed_from_its_checkpoint(recipes: list[Recipe], trained: Path) -> None:
    for recipe in recipes:
        state = restore(trained / recipe.name / "checkpoint-2", recipe)
        result = optimizer_step(state, batch(recipe, 2))
        last = rows(trained / recipe.name)[2]
        assert (result.loss, result.grad_norm) == (last["loss"], last["grad_norm"])
        assert {name: last[name] for name in result.values} == result.values


def test_a_reference_that_cannot_be_used(corpus: Path, reference: Path, tmp_path: Path) -> None:
    def rho1(source: Path, **more: Any) -> Recipe:
        return tiny_recipe(corpus, steps=2, objective={"kind": "rho1", "reference": str(source)}, **more)

    with pytest.raises(InputError, match="not a folder or file"):
        train(rho1(tmp_path / "none"), tmp_path / "a")
    unfinished = tiny_recipe(corpus, steps=9)
    train(unfinished.model_copy(update={"steps": 4}), tmp_path / "unfinished")
    unfinished.save(tmp_path / "unfinished" / "recipe.yaml")
    with pytest.raises(InputError, match="at step 4 and not finished"):
        train(rho1(tmp_path / "unfinished"), tmp_path / "b")
    longer = {"sequences": 4, "length": 9}
    model = {**GPT2, "n_positions": 16}
    with pytest.raises(InputError, match="a reference model of 8 positions, and the batches have 9"):
        train(rho1(reference, model=model, batch=longer), tmp_path / "c")
    with pytest.raises(InputError, match="a reference model of 8 positions, and the batches have 9"):
        train(rho1(reference, model=model, batch=longer), tmp_path / "c")
    other = tmp_path / "c" / "data.json"
    other.write_text(other.read_text().replace('"reference_sha256": "', '"reference_sha256": "0'))
    with pytest.raises(InputError, match=r"began with other data than those here now \(reference_sha256: 0"):
        train(rho1(reference, model=model, batch=longer), tmp_path / "c")


@pytest.mark.parametrize("parts", [{}, {"aggregator": BY_LOSS}])
def test_a_run_that_diverges_ends_in_one_line(corpus: Path, tmp_path: Path, parts: dict[str, Any]) -> None:
    optimizer = {"kind": "sgd", "lr": 1e30}
    with pytest.raises(InputError, match="training diverged"):
        train(tiny_recipe(corpus, objective=REWEIGHTING, optimizer=optimizer, **parts), tmp_path / "run")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"aggregator": {"kind": "pcgrad"}, "sharding": "fsdp"}, "needs whole gradients"),
        ({"aggregator": {"kind": "pcgrad", "groups": 5}}, "more than batch.sequences 4"),
        ({"aggregator": {"kind": "pcgrad", "groups": 9}}, "less than or equal to 8"),
        ({"objective": {"kind": "rho1"}}, "reference"),
        ({"objective": {"kind": "rho1", "reference": "a", "k": 0}}, "greater than 0"),
        ({"objective": {"kind": "reweighting", "r": 0}}, "greater than 0"),
        ({"objective": {"kind": "reweighting", "temperature": 1}}, "temperature: not known"),
        ({"objective": {"kind": "z_lost"}}, "z_lost"),
    ],
)
def test_settings_that_cannot_be(corpus: Path, values: dict[str, Any], words: str) -> None:
    with pytest.raises((ValidationError, InputError), match=words):
        tiny_recipe(corpus, **values)
