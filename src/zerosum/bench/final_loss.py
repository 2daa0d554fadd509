"""The loss after a cooldown, which decides: measured on many more held-out tokens than are logged while training.

It is measured once, from the last checkpoint of a finished run, and written beside the run. On few tokens the choice of
text would be most of the difference between two runs.
"""

import math
from dataclasses import dataclass

import numpy as np

from zerosum.bench.stored import read_stored, write_stored
from zerosum.sweep import SweptRun


@dataclass(frozen=True)
class FinalLoss:
    """loss: mean over `tokens` held-out tokens, nats per token; infinite where it is not finite."""

    loss: float
    tokens: int


def read_final_loss(run: SweptRun, most: int) -> FinalLoss | None:
    """What `measure_final_loss` wrote; None where it did not. Raises InputError where the file is damaged."""
    return read_stored(run, _name(most), FinalLoss)


def measure_final_loss(run: SweptRun, most: int) -> None:
    """Measure a finished run on `most` held-out sequences, or on the most of half, a quarter, ... that there are."""
    from zerosum.checkpoints import load_model, only_checkpoint
    from zerosum.losses import ModelLosses
    from zerosum.tokens import PADDING
    from zerosum.training.held_out import held_out_tokens

    checkpoint = only_checkpoint(run.folder / f"checkpoint-{run.recipe.steps}")
    ids = held_out_tokens(run.recipe, most=most).ids
    losses = ModelLosses(load_model(checkpoint))(ids)[ids[:, 1:] != PADDING]
    mean = losses.mean(dtype=np.float64).item()
    write_stored(run, _name(most), FinalLoss(mean if math.isfinite(mean) else math.inf, losses.size))


def _name(most: int) -> str:
    return f"final-loss-{most}.json"
