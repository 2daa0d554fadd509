"""`zerosum train --list`: the recipes in a table."""

from typing import Any

from zerosum.cli.sources import print_document
from zerosum.recipes import named_recipe, recipe_names, variant_names
from zerosum.show import terminal
from zerosum.show.table import Column, Table, Text
from zerosum.training.models import count_parameters

_COLUMNS = (
    Column("name", "recipe"),
    Column("n_params", "parameters"),
    Column("steps", "steps"),
    Column("tokens", "tokens"),
    Column("optimizer", "optimizer"),
    Column("lr", "rate"),
)


def listing(details: bool, as_json: bool) -> None:
    """Print all recipes; without details or JSON the main ones alone, with the number of variants."""
    names = [*recipe_names(), *(variant_names() if details or as_json else ())]
    recipes = [_facts(name) for name in names]
    if as_json:
        print_document({"recipes": recipes, "errors": []})
        return
    rows = tuple(tuple({**facts, "tokens": Text(_short(facts["tokens"]))}.values()) for facts in recipes)
    more = "" if details else f"{len(variant_names())} variants (ablations, optimizers, objectives, ...): --details. "
    terminal.say(Table("recipes", "", _COLUMNS, rows), f"{more}The whole of a recipe: zerosum train NAME --show")


def _facts(name: str) -> dict[str, Any]:
    recipe = named_recipe(name)
    values = (
        name,
        count_parameters(recipe.model),
        recipe.steps,
        recipe.steps * recipe.batch.tokens,
        recipe.optimizer.kind,
        recipe.optimizer.lr,
    )
    return dict(zip((column.name for column in _COLUMNS), values, strict=True))


def _short(tokens: int) -> str:
    return f"{tokens / 1e9:.1f} billion" if tokens >= 1e9 else f"{tokens / 1e6:.1f} million"
