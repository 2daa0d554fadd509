from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from zerosum.errors import InputError
from zerosum.training.model_recipe import ModelRecipe
from zerosum.training.optimizers.adamw import AdamWSettings
from zerosum.training.recipe import Recipe
from zerosum.training.schedules.constant import ConstantSettings


def test_saved_recipe_is_complete_and_comes_back_equal(tmp_path: Path) -> None:
    recipe = Recipe(name="a <b>: é", steps=7, optimizer=AdamWSettings(lr=1e-5, betas=(0.9, 0.95), eps=1e-8))
    recipe.save(tmp_path / "recipe.yaml")
    assert Recipe.load(tmp_path / "recipe.yaml") == recipe
    written = yaml.safe_load((tmp_path / "recipe.yaml").read_text(encoding="utf-8"))
    assert written == recipe.model_dump(mode="json")
    assert written["optimizer"]["betas"] == [0.9, 0.95]


@pytest.mark.parametrize(
    "text",
    [
        "name: [",
        "- a list",
        "",
        "name: a\nsteps: 3\nstepz: 4\n",
        "name: a\nsteps: -3\n",
        "!!python/object/apply:os.system ['touch owned']",
    ],
)
def test_file_that_is_no_recipe_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=r"recipe\.yaml: ") as caught:
        Recipe.load(file)
    assert "\n" not in str(caught.value)
    assert not Path("owned").exists()


def test_no_recipe_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as a recipe"):
        Recipe.load(tmp_path / "none.yaml")


def test_unknown_names_are_errors() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Recipe.model_validate({"name": "a", "steps": 3, "learning_rate": 1.0})


def test_recipe_cannot_be_changed() -> None:
    recipe = Recipe(name="a", steps=3)
    with pytest.raises(ValidationError, match="frozen"):
        recipe.steps = 4  # type: ignore[misc]
    assert recipe in {Recipe(name="a", steps=3)}


@pytest.mark.parametrize(
    ("steps", "expected"), [(1, (0, 1)), (2, (0, 1, 2)), (8, (0, 1, 2, 4, 8)), (5, (0, 1, 2, 4, 5))]
)
def test_checkpoint_steps(steps: int, expected: tuple[int, ...]) -> None:
    assert Recipe(name="a", steps=steps).checkpoint_steps == expected


def test_no_update_has_rate_zero_and_warm_up_takes_its_steps() -> None:
    assert [ConstantSettings(warmup_steps=3).factor(step, 9) for step in range(1, 6)] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert ConstantSettings(warmup_steps=0).factor(1, 9) == 1.0


def test_differences_name_nested_values() -> None:
    ours = Recipe(name="a", steps=3)
    theirs = Recipe(name="a", steps=3, model=ModelRecipe(num_hidden_layers=3))
    assert ours.differences(theirs) == ["model.num_hidden_layers: 2, not 3"]
    assert ours.differences(ours) == []
