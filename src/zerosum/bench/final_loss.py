"""The loss after a cooldown, which decides: measured on many more held-out tokens than are logged while training.

It is measured once, from the last checkpoint of a finished run, and written beside the run. On few tokens the choice of
text would be most of the difference between two runs.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from zerosum.atomic import write_text
from zerosum.errors import InputError
from zerosum.runs import RunDirectory
from zerosum.sweep import SweptRun


@dataclass(frozen=True)
class FinalLoss:
    """loss: mean over `tokens` held-out tokens, nats per token; infinite where it is not finite."""

    loss: float
    tokens: int


_ADAPTER = TypeAdapter(FinalLoss)


def read_final_loss(run: SweptRun, most: int) -> FinalLoss | None:
    """What `measure_final_loss` wrote; None where it did not. Raises InputError where the file is damaged."""
    file = _file(run, most)
    if not file.is_file():
        return None
    try:
        return _ADAPTER.validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise InputError(f"{file}: damaged. Delete it and start the same command again: it is made anew.") from error


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
    file = _file(run, most)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, json.dumps(asdict(FinalLoss(mean if math.isfinite(mean) else math.inf, losses.size))) + "\n")


def _file(run: SweptRun, most: int) -> Path:
    return RunDirectory(run.folder).measured / f"final-loss-{most}.json"
