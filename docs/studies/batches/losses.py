"""Held-out losses of averaged weights of all runs, as one table: python losses.py RUNS losses.csv

RUNS: the folder that holds batch-256, batch-512, ..., each made by `zerosum sweep`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from zerosum import token_losses
from zerosum.checkpoints import find_checkpoints, load_model
from zerosum.training.models import count_parameters
from zerosum.training.recipe import Recipe

SEQUENCES = 128
AVERAGES = ("last:16", "last:64")
EARLIEST = 1 / 8  # of the run's steps


def rows_of(run: Path, average: str) -> Iterator[dict[str, Any]]:
    """One row for each checkpoint of a run, with the loss at averaged weights in nats per token."""
    recipe = Recipe.load(run / "recipe.yaml")
    tokens = recipe.data.open().held_out(SEQUENCES, recipe.batch.length)
    for checkpoint in find_checkpoints([run], average=average).checkpoints:
        if checkpoint.step >= EARLIEST * recipe.steps:
            yield {
                "run": f"{recipe.batch.tokens}-{recipe.optimizer.lr:g}-seed{recipe.seed}",
                "average": average,
                "N": count_parameters(recipe.model),
                "batch": recipe.batch.tokens,
                "lr": recipe.optimizer.lr,
                "step": checkpoint.step,
                "D": recipe.tokens_seen(checkpoint.step),
                "loss": round(float(token_losses(load_model(checkpoint), tokens.ids).mean()), 5),
            }


if __name__ == "__main__":
    runs = sorted(recipe.parent for recipe in Path(sys.argv[1]).glob("*/*/recipe.yaml"))
    rows = [row for run in runs for average in AVERAGES for row in rows_of(run, average)]
    pd.DataFrame(rows).to_csv(sys.argv[2], index=False)
