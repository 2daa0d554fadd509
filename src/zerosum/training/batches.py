"""Batches: a pure function of recipe and step, so that resumed runs and later measurements get the same batches.

`batch(recipe, s)` is the batch of the update from checkpoint-s to checkpoint-(s+1).
"""

from zerosum.training.corpus import Batch
from zerosum.training.recipe import Recipe


def batch(recipe: Recipe, step: int) -> Batch:
    """The batch of the update from `step` to `step + 1`, of all processes together."""
    return recipe.data.open().batch(recipe.seed, step, recipe.batch.sequences, recipe.batch.length)
