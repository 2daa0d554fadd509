"""Seconds and peak memory of training, recorded beside a run."""

import json
import math
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import torch

from zerosum.atomic import write_text
from zerosum.errors import InputError
from zerosum.training.callback import Callback, TrainingContext

COST = "cost.json"


@dataclass(frozen=True)
class Cost:
    """What was measured while a run trained. updates: that were timed; seconds: that they took, checkpoints included.

    peak_memory: largest memory of the process, bytes, NaN where the
    system does not tell; on a GPU that of torch's tensors there. A killed run makes some
    updates twice, and they count twice: seconds / updates is the time of an update.
    """

    updates: int = 0
    seconds: float = 0.0
    peak_memory: float = 0.0


class RecordCost(Callback):
    """Writes `cost.json` into the run directory at each checkpoint; a run that is continued adds to it."""

    def __init__(self, run: Path):
        self._run = run
        self._last: tuple[int, float] | None = None

    def on_checkpoint(self, context: TrainingContext, folder: Path) -> None:
        """Add the updates since the last checkpoint of this call."""
        now = monotonic()
        if self._last:
            before = read_cost(self._run)
            updates, seconds = context.step - self._last[0], now - self._last[1]
            memory = max(before.peak_memory, _peak_memory())
            cost = Cost(before.updates + updates, before.seconds + seconds, memory)
            write_text(self._run / COST, json.dumps(asdict(cost)) + "\n")
        self._last = (context.step, now)


def read_cost(run: Path) -> Cost:
    """What was recorded; zeros where nothing was. Raises InputError where the file is damaged."""
    file = run / COST
    try:
        values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return Cost(int(values["updates"]), float(values["seconds"]), float(values["peak_memory"]))
    except FileNotFoundError:
        return Cost()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file}: damaged. Delete it: the rest of the run stays usable.") from error


def _peak_memory() -> float:
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return float(torch.cuda.max_memory_allocated())
    if sys.platform == "win32":
        return math.nan
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
