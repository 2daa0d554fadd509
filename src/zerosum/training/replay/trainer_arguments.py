"""What Hugging Face's Trainer was called with, as `training_args.bin` beside a checkpoint says; it is not executed."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zerosum.checkpoints.inert_pickle import Inert, read_inert
from zerosum.checkpoints.weights import inside
from zerosum.errors import InputError

FILE = "training_args.bin"
MOST = 1_000_000  # sequences, and processes
PLAIN = "transformers.training_args.TrainingArguments"


@dataclass(frozen=True)
class TrainerArguments:
    """class_name: of the arguments; other trainers have classes of their own. values: by name, untrusted."""

    class_name: str
    values: dict[str, Any]

    def number(self, name: str) -> float | None:
        """A number; None where it is absent, not finite or no number."""
        value = self.values.get(name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
        return float(value) if is_number else None  # type: ignore[arg-type]

    @property
    def clip(self) -> float | None:
        """Largest norm of the gradient, infinite for none; None where it is not stated."""
        norm = self.number("max_grad_norm")
        return None if norm is None else norm if norm > 0 else float("inf")

    @property
    def batch_size(self) -> int | None:
        """Sequences in one update, over all processes; None where it is not stated."""
        state = self.values.get("distributed_state")
        facts = state.state if isinstance(state, Inert) and isinstance(state.state, dict) else {}
        names = ("per_device_train_batch_size", "gradient_accumulation_steps")
        factors = [facts.get("num_processes"), max(1.0, self.number("_n_gpu") or 1.0), *map(self.number, names)]
        sizes = [int(factor) for factor in factors if isinstance(factor, int | float) and 1 <= factor <= MOST]
        return math.prod(sizes) if len(sizes) == len(factors) else None


def read_trainer_arguments(folder: Path) -> TrainerArguments | None:
    """The arguments beside a checkpoint; None where there are none, or the file cannot be read without executing it."""
    try:
        content = read_inert(inside(folder, FILE))
    except (ValueError, OSError, InputError):
        return None
    if not isinstance(content, Inert) or not isinstance(content.state, dict):
        return None
    return TrainerArguments(content.name, content.state)
