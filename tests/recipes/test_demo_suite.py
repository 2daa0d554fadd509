import pytest

from zerosum.interference import doubling_pairs
from zerosum.recipes import demo_suite
from zerosum.training.model_recipe import ModelRecipe
from zerosum.training.models import count_parameters
from zerosum.training.recipe import Recipe


@pytest.mark.parametrize("quick", [False, True])
def test_sizes_are_what_their_names_say(quick: bool) -> None:
    suite = demo_suite(seed=3, quick=quick)
    assert [recipe.name for recipe in suite] == ["17k", "25k", "40k"]
    for recipe in suite:
        assert abs(count_parameters(recipe.model) - 1000 * int(recipe.name.removesuffix("k"))) < 500
        assert recipe.seed == 3


def test_sizes_differ_in_width_alone() -> None:
    differing = {"hidden_size": 0, "intermediate_size": 0, "num_attention_heads": 0}

    def rest(recipe: Recipe) -> Recipe:
        model = ModelRecipe.model_validate(recipe.model.model_dump() | differing)
        return recipe.model_copy(update={"name": "", "model": model})

    suite = demo_suite(seed=0, quick=False)
    assert len({rest(recipe) for recipe in suite}) == 1
    assert suite[0].batch.tokens == 256
    assert suite[0].schedule.warmup_steps == 1


def test_quick_differs_in_steps_alone() -> None:
    full, quick = demo_suite(seed=0, quick=False), demo_suite(seed=0, quick=True)
    for one, other in zip(full, quick, strict=True):
        names = [text.split(":")[0] for text in one.differences(other)]
        assert names == ["steps"]


@pytest.mark.parametrize("quick", [False, True])
def test_the_last_doubling_ends_with_the_last_step(quick: bool) -> None:
    recipe = demo_suite(quick=quick)[0]
    pairs, _ = doubling_pairs(recipe.checkpoint_steps)
    assert (recipe.steps // 2, recipe.steps) in pairs
    assert {(2**k, 2 ** (k + 1)) for k in range(9)} <= set(pairs)
