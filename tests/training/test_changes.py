"""Changes to recipes: each lands where its name says and nowhere else; what is wrong is named in one line."""

import random

import pytest

from zerosum.errors import InputError
from zerosum.recipes import named_recipe, recipe_names, variant_names
from zerosum.training.changes import label, parse_changes, with_changes
from zerosum.training.optimizers.sgd import SGDSettings
from zerosum.training.recipe import Recipe, flat_values
from zerosum.training.schedules.wsd import WSDSettings

RECIPE = named_recipe("tiny_25k")


def changed(*texts: str) -> Recipe:
    return with_changes(RECIPE, parse_changes(texts))


def test_each_number_of_a_recipe_can_be_set_alone() -> None:
    numbers = {
        name: value
        for name, value in flat_values(RECIPE.model_dump(mode="json")).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    assert {"steps", "optimizer.lr", "model.hidden_size", "data.held_out_share", "checkpoints.per_doubling"} <= set(
        numbers
    )
    for name, value in numbers.items():
        new = value * 2 if isinstance(value, int) and value else value / 2 or 3
        after = flat_values(changed(f"{name}={new}").model_dump(mode="json"))
        assert after.pop(name) == new
        assert after == {key: old for key, old in flat_values(RECIPE.model_dump(mode="json")).items() if key != name}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("3", 3),
        ("[0.9, 1e-2]", [0.9, 0.01]),
        ("no", "no"),
        ("true", True),
        ("null", None),
        ('"7"', "7"),
        ("a=b", "a=b"),
        ("", None),
    ],
)
def test_values_are_yaml_as_people_mean_it(text: str, value: object) -> None:
    assert parse_changes([f"a.b={text}"]) == {"a.b": value}


def test_another_kind_brings_its_own_settings() -> None:
    optimizer = changed("optimizer.kind=sgd").optimizer
    assert optimizer == SGDSettings(lr=RECIPE.optimizer.lr, clip=RECIPE.optimizer.clip)
    assert changed("optimizer.clip=2", "optimizer.kind=sgd", "optimizer.momentum=0.5").optimizer == SGDSettings(
        lr=RECIPE.optimizer.lr, clip=2.0, momentum=0.5
    )
    warm = with_changes(RECIPE, {"schedule": {"warmup_steps": 7}})
    assert with_changes(warm, {"schedule": {"kind": "wsd", "decay_steps": 9}}).schedule == WSDSettings(
        warmup_steps=7, decay_steps=9
    )
    assert changed("optimizer.kind=adamw") == RECIPE


def test_another_family_leaves_the_settings_that_it_has() -> None:
    pytest.importorskip("transformers")
    model = changed("model.family=gpt2", "model.n_inner=64").model
    assert model.settings["hidden_size"] == 32
    assert model.settings["n_inner"] == 64
    assert "intermediate_size" not in model.settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optimizer.lrr=1", "optimizer.lrr: not known. Did you mean lr?"),
        ("lr=1", "lr: not known. Did you mean optimizer.lr?"),
        ("stepz=1", "stepz: not known. Did you mean steps?"),
        ("batch.lenght=1", "batch.lenght: not known. Did you mean length?"),
        ("optimizer.kind=adamm", "Did you mean adam?"),
        ("schedule.kind=wsd", "schedule.decay_steps: missing"),
        ("steps=-1", "steps: should be greater than 0, not -1"),
        ("steps.more=1", "steps is a value and has no settings"),
        ("optimizer.lr=fast", "optimizer.lr: should be a valid number, not 'fast'"),
        ("optimizer.betas=0.9", "optimizer.betas: should be a list of values, not 0.9"),
        ("model=3", "model: should be settings as NAME: VALUE, not 3"),
        ("steps", "not NAME=VALUE"),
        ("=3", "not NAME=VALUE"),
        ("a.b=[", "not YAML"),
    ],
)
def test_what_is_wrong_is_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        changed(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_typo_anywhere_names_the_setting() -> None:
    generator = random.Random(0)  # noqa: S311 - not for cryptography
    names = [name for name in flat_values(RECIPE.model_dump()) if not name.startswith(("model.", "start"))]
    for name in names:
        place, dot, last = name.rpartition(".")
        at = generator.randrange(len(last))
        typo = f"{place}{dot}{last[:at]}{last[at]}{last[at:]}"
        with pytest.raises(InputError, match=rf"\b{typo}: not known. Did you mean (\w+\.)*{last}\?"):
            changed(f"{typo}=1")


def test_twice_the_same_name_is_refused() -> None:
    with pytest.raises(InputError, match="given twice"):
        parse_changes(["steps=1", "steps=2"])


def test_labels_are_names_of_folders_and_differ() -> None:
    changes = [{"a": value} for value in (1, 1.5, [1, 2], "../x", "/etc", "é", "a" * 300, "a" * 299 + "b", None)]
    labels = [label(change) for change in changes]
    assert len(set(labels)) == len(labels)
    assert all("/" not in text and len(text) < 100 for text in labels)


@pytest.mark.parametrize("name", [*recipe_names(), *variant_names()])
def test_every_recipe_is_complete_in_its_file(name: str) -> None:
    recipe = named_recipe(name)
    assert recipe.name == name
    assert Recipe.read(recipe.model_dump(mode="json"), "here") == recipe
