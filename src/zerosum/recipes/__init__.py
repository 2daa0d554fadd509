"""Functions that return full training recipes. A new experiment is a new function here, not a new flag.

One file per family. Its `RECIPES` has the recipes by name; its `VARIANTS` the changes that make one of them another
experiment, by the name of the variant. Loads no torch.
"""

from zerosum.recipes.catalogue import find_recipe, named_recipe, recipe_names, variant_names
from zerosum.recipes.demo import demo_suite

__all__ = ["demo_suite", "find_recipe", "named_recipe", "recipe_names", "variant_names"]
