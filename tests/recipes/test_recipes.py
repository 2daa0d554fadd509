"""Named recipes: the published numbers, parameter counts that the names state, and one variant for each kind."""

import sys
from pathlib import Path

import pytest

import zerosum.recipes
from zerosum.curves.held_out import DENSE
from zerosum.errors import InputError
from zerosum.recipes import demo_suite, find_recipe, named_recipe, recipe_names, variant_names
from zerosum.training.aggregators import AGGREGATORS
from zerosum.training.models import configuration, count_parameters
from zerosum.training.objectives import OBJECTIVES
from zerosum.training.optimizers import OPTIMIZERS

PAPER = {  # d, L, H, rate
    "paper_14m": (256, 4, 4, 1.26e-3),
    "paper_37m": (512, 8, 8, 9.71e-4),
    "paper_78m": (768, 12, 12, 8.01e-4),
    "paper_144m": (1024, 16, 16, 6.81e-4),
    "paper_285m": (1536, 16, 16, 5.67e-4),
    "paper_472m": (2048, 16, 16, 4.87e-4),
}
UNITS = {"k": 10**3, "m": 10**6}


def size_of(name: str) -> int:
    """The number of parameters that a name such as tiny_25k_cosine states."""
    size = name.split("_")[1]
    return int(size[:-1]) * UNITS[size[-1]]


@pytest.mark.parametrize("name", [*recipe_names(), *variant_names()])
def test_parameters_are_what_the_name_says(name: str) -> None:
    recipe = named_recipe(name)
    tolerance = 0.11 if name.startswith("tiny_25k_gpt2") else 0.08 if "gpt2" in name else 0.024
    assert count_parameters(recipe.model) == pytest.approx(size_of(name), rel=tolerance)
    assert recipe.batch.length <= configuration(recipe.model).max_position_embeddings


@pytest.mark.parametrize("name", PAPER)
def test_the_published_numbers(name: str) -> None:
    width, layers, heads, rate = PAPER[name]
    recipe = named_recipe(name)
    config = configuration(recipe.model)
    assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) == (width, layers, heads)
    assert (config.intermediate_size, config.vocab_size, config.tie_word_embeddings) == (width // 2, 50_304, True)
    assert (config.num_key_value_heads, config.attention_bias, config.mlp_bias) == (heads, False, False)
    assert (recipe.batch.sequences, recipe.batch.length, recipe.steps) == (512, 1024, 2**18)
    optimizer = recipe.optimizer.model_dump()
    assert optimizer["kind"] == "adamw"
    assert (optimizer["lr"], optimizer["betas"], optimizer["eps"]) == (rate, (0.9, 0.95), 1e-5)
    assert (optimizer["weight_decay"], optimizer["decay_embeddings"], optimizer["clip"]) == (0.1, False, 1.0)
    assert [recipe.schedule.factor(step, recipe.steps) for step in (1, 2000, 2001, 2**18)] == pytest.approx(
        [1 / 2001, 2000 / 2001, 1, 1]
    )
    assert recipe.checkpoint_steps == (0, *(2**k for k in range(19)))
    # Closed form: embedding, attention, gated MLP; the weights of the norms are not trained and do not count.
    expected = 50_304 * width + layers * (4 * width**2 + 3 * width * (width // 2))
    assert count_parameters(recipe.model) == expected


def test_the_demo_trains_models_of_the_tiny_recipes_longer_on_less_at_a_time() -> None:
    """And at a higher, constant rate without decay, with the held-out loss logged densely enough to be fitted."""
    for recipe in demo_suite():
        if (name := f"tiny_{recipe.name}") in recipe_names():
            assert {text.split(":")[0] for text in recipe.differences(named_recipe(name))} == {
                "name",
                "steps",
                "batch.sequences",
                "optimizer.lr",
                "optimizer.weight_decay",
                "averages",
                "held_out",
                "held_out_per_decade",
                "resume_every",
            }
        assert recipe.optimizer.model_dump()["weight_decay"] == 0
        assert {recipe.learning_rate(step) for step in range(2, recipe.steps + 1)} == {recipe.optimizer.lr}
        assert recipe.held_out_per_decade >= DENSE


def test_ablations_of_the_paper() -> None:
    assert named_recipe("paper_14m_cosine").learning_rate(2**18) == pytest.approx(1.26e-4)
    for million in (1, 4):
        for length in (1024, 2048):
            batch = named_recipe(f"paper_472m_{million}m_t{length}").batch
            assert (batch.tokens, batch.length) == (million * 2**20, length)
    assert named_recipe("paper_144m_gpt2").model.family == "gpt2"
    assert "paper_285m_gpt2" not in variant_names()
    wsd = named_recipe("paper_78m_wsd")
    assert wsd.learning_rate(209_000) == wsd.optimizer.lr > wsd.learning_rate(211_000) > wsd.learning_rate(2**18)


def test_every_kind_has_a_tiny_recipe() -> None:
    for part, kinds in {"optimizer": OPTIMIZERS, "objective": OBJECTIVES, "aggregator": AGGREGATORS}.items():
        for size in ("25k", "100k", "250k", "1m"):
            recipes = [named_recipe(name) for name in recipe_names() + variant_names() if f"tiny_{size}" in name]
            assert {getattr(recipe, part).kind for recipe in recipes} == set(kinds.names())


def test_a_recipe_is_found_by_name_or_file(tmp_path: Path) -> None:
    recipe = named_recipe("tiny_100k_cosine")
    recipe.save(tmp_path / "mine.yaml")
    assert find_recipe(str(tmp_path / "mine.yaml")) == recipe == find_recipe("tiny_100k_cosine")


def test_a_family_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(
        "from zerosum.recipes.tiny import tiny\n"
        "def longer():\n    return tiny('25k').model_copy(update={'name': 'longer', 'steps': 4096})\n"
        "RECIPES = {'longer': longer}\n"
    )
    monkeypatch.setattr(zerosum.recipes, "__path__", [*zerosum.recipes.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "zerosum.recipes.mine", raising=False)
    found = zerosum.recipes.catalogue._functions.__wrapped__("RECIPES")
    assert found["longer"]().steps == 4096
    assert {*recipe_names()} < {*found}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tiny_26k", "Did you mean tiny_25k"),
        ("xyz", "Known here: paper_14m"),
        ("none.yaml", "none.yaml: cannot be read as a recipe"),
        ("", "not known"),
    ],
)
def test_no_such_recipe_is_one_line(name: str, message: str) -> None:
    with pytest.raises(InputError, match=r"^[^\n]*$") as caught:
        find_recipe(name)
    assert message in str(caught.value)
