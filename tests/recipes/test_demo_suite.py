import pytest

from zerosum.recipes import demo_suite
from zerosum.training.recipe import Recipe


@pytest.mark.parametrize("quick", [False, True])
def test_sizes_are_what_their_names_say(quick: bool) -> None:
    suite = demo_suite(seed=3, quick=quick)
    assert [recipe.name for recipe in suite] == ["25k", "100k", "250k"]
    for recipe in suite:
        assert abs(recipe.model.n_parameters - 1000 * int(recipe.name.removesuffix("k"))) < 500
        assert recipe.seed == 3


def test_only_name_and_model_differ_between_sizes() -> None:
    def rest(recipe: Recipe) -> Recipe:
        return recipe.model_copy(update={"name": "", "model": None})

    suite = demo_suite(seed=0, quick=False)
    assert len({rest(recipe).model_dump_json() for recipe in suite}) == 1
    assert suite[0].steps == 2048
    assert suite[0].batch.tokens == 2048
    assert suite[0].optimizer.lr == 5e-4
    assert suite[0].schedule.warmup_steps == 1


def test_quick_differs_in_steps_alone() -> None:
    full, quick = demo_suite(seed=0, quick=False), demo_suite(seed=0, quick=True)
    assert [f.differences(q) for f, q in zip(full, quick, strict=True)] == [["steps: 2048, not 256"]] * 3
