"""Losses measured around one real optimizer step from a checkpoint, beside the checkpoint's plain losses."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from zerosum.checkpoints import Checkpoint


@dataclass(frozen=True)
class StepLosses:
    """Losses around one real optimizer step: the training batch before and after it, held-out tokens after it."""

    batch_before: Float[np.ndarray, "s T"]
    batch_after: Float[np.ndarray, "s T"]
    held_out_after: Float[np.ndarray, "S T"]


@dataclass(frozen=True)
class AroundStep:
    """A step to take from each checkpoint but step 0. losses: measured around it. batch: its (s, T)."""

    losses: Callable[[Checkpoint, Int[np.ndarray, "S L"]], StepLosses]
    batch: tuple[int, int]
