import pytest

from zerosum.recipes import demo_suite
from zerosum.training.model_recipe import ModelRecipe
from zerosum.training.models import count_parameters
from zerosum.training.recipe import Recipe


@pytest.mark.parametrize("quick", [False, True])
def test_sizes_are_what_their_names_say(quick: bool) -> None:
    suite = demo_suite(seed=3, quick=quick)
    assert [recipe.name for recipe in suite] == ["25k", "100k", "250k"]
    for recipe in suite:
        assert abs(count_parameters(recipe.model) - 1000 * int(recipe.name.removesuffix("k"))) < 500
        assert recipe.seed == 3


def test_sizes_differ_in_width_and_rate_alone() -> None:
    differing = {"hidden_size": 0, "intermediate_size": 0, "num_attention_heads": 0}

    def rest(recipe: Recipe) -> Recipe:
        return recipe.model_copy(
            update={
                "name": "",
                "model": ModelRecipe.model_validate(recipe.model.model_dump() | differing),
                "optimizer": recipe.optimizer.model_copy(update={"lr": 0.0}),
            }
        )

    suite = demo_suite(seed=0, quick=False)
    assert len({rest(recipe) for recipe in suite}) == 1
    assert suite[0].batch.tokens == 2048
    assert suite[0].schedule.warmup_steps == 1
    rates = [recipe.optimizer.lr for recipe in suite]
    assert rates == sorted(rates, reverse=True)


def test_quick_differs_in_steps_alone() -> None:
    full, quick = demo_suite(seed=0, quick=False), demo_suite(seed=0, quick=True)
    assert [f.differences(q) for f, q in zip(full, quick, strict=True)] == [["steps: 2048, not 256"]] * 3
