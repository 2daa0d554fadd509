"""Recipes by name, found by folder: every file here that has `RECIPES` is a family."""

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from zerosum.errors import InputError
from zerosum.training.recipe import Recipe
from zerosum.training.settings import as_sentence, unknown_name

YAML_ENDINGS = (".yaml", ".yml")


def recipe_names() -> tuple[str, ...]:
    """Names of the main recipes, family by family.

    >>> recipe_names()[:2]
    ('paper_14m', 'paper_37m')
    """
    return tuple(_functions("RECIPES"))


def variant_names() -> tuple[str, ...]:
    """Names of the variants of the main recipes: ablations, and one for each optimizer, objective and aggregator."""
    return tuple(_functions("VARIANTS"))


def named_recipe(name: str) -> Recipe:
    """The recipe of a name. Raises InputError where there is none, with the nearest name.

    >>> named_recipe("tiny_25k").batch.tokens
    2048
    """
    functions = {**_functions("RECIPES"), **_functions("VARIANTS")}
    if name not in functions:
        known = [*functions] if unknown_name(name, [*functions]).endswith("?") else [*recipe_names()]
        raise InputError(f"{as_sentence(unknown_name(name, known))} See zerosum train --list --details.")
    return functions[name]()


def find_recipe(name_or_file: str) -> Recipe:
    """The recipe of a name, or of a YAML file that `zerosum train --show` printed or that a run directory has.

    Raises InputError where there is no such recipe or file, or where the file holds no recipe.
    """
    if name_or_file.lower().endswith(YAML_ENDINGS):
        return Recipe.load(Path(name_or_file).expanduser(), "Correct the file, or give another.")
    return named_recipe(name_or_file)


@cache
def _functions(attribute: str) -> Mapping[str, Callable[[], Recipe]]:
    path = import_module("zerosum.recipes").__path__
    files = [import_module(f"zerosum.recipes.{info.name}") for info in iter_modules(path)]
    return {name: function for file in files for name, function in getattr(file, attribute, {}).items()}
