"""Batches: a pure function of (seed, step) alone, so that a resumed run and a later measurement see the same ones.

`batch(recipe, s)` is what the update from checkpoint-s to checkpoint-(s+1) is computed on.
"""

import numpy as np
from jaxtyping import Int64, UInt16

from zerosum.errors import InputError
from zerosum.training.recipe import Recipe
from zerosum.training.text import read_text


def batch(recipe: Recipe, step: int) -> Int64[np.ndarray, "sequence window"]:
    """The batch of the update from `step` to `step + 1`: [sequences, length + 1] token ids of the recipe's text."""
    train = read_text(recipe.data).train
    return windows(train, recipe.seed, step, sequences=recipe.batch.sequences, length=recipe.batch.length)


def windows(
    stream: UInt16[np.ndarray, " n"], seed: int, step: int, *, sequences: int, length: int
) -> Int64[np.ndarray, "sequence window"]:
    """`sequences` windows of `length + 1` tokens from uniformly random places of the stream.

    >>> windows(np.arange(9, dtype=np.uint16), seed=0, step=3, sequences=1, length=8).tolist()
    [[0, 1, 2, 3, 4, 5, 6, 7, 8]]
    """
    if len(stream) <= length:
        raise InputError(f"{len(stream)} training tokens: too few for windows of {length} and the token after them.")
    generator = np.random.default_rng(np.random.SeedSequence([seed, step]))
    starts = generator.integers(0, len(stream) - length, size=sequences)
    tokens: Int64[np.ndarray, "sequence window"] = stream[starts[:, None] + np.arange(length + 1)].astype(np.int64)
    return tokens
