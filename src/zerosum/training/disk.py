"""Disk space that a run will still need, checked before anything is written."""

import os
import shutil
from pathlib import Path

from zerosum.errors import InputError
from zerosum.training.models import count_parameters
from zerosum.training.recipe import Recipe

_BYTES_PER_NUMBER = 4  # float32: weights, and the optimizer's state of each parameter
_NUMBERS_OF_AVERAGE = 3  # the averaged weights, and a sum in float64
_RESUME_STATES = 2  # the newest, and the next while it is written
_SPARE = 1.2


def bytes_to_come(recipe: Recipe, run: Path | None = None) -> int:
    """Bytes of the checkpoints and resume states of a run that are not there yet. run: None for a new run."""
    there = 0 if run is None else sum((run / f"checkpoint-{step}").is_dir() for step in recipe.checkpoint_steps)
    layout = recipe.optimizer.saved_layout
    tensors = 1 + len((layout.state_keys or layout.optional_state_keys) - layout.single_numbers)
    tensors += _NUMBERS_OF_AVERAGE * len(recipe.averages)
    one = count_parameters(recipe.model) * tensors * _BYTES_PER_NUMBER
    left = len(recipe.checkpoint_steps) - there
    return int(_SPARE * one * (left + _RESUME_STATES)) if left else 0


def require_free(folder: Path, needed: int, remedy: str) -> None:
    """Raise InputError where less than `needed` bytes are free on the disk of a folder, which need not be there yet."""
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(f"{place}{os.sep}").free  # a file in the place of a folder is an error
    if free < needed:
        raise InputError(f"{folder}: {free / 1e6:,.0f} MB free, about {needed / 1e6:,.0f} MB needed. {remedy}")
