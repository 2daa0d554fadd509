"""The cost of the monitor: its time is measured, and held below the share of training time that was chosen."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from zerosum.errors import InputError

PRESETS = {"economy": 0.01, "business": 0.05, "full": float("inf")}
"""Largest time of the monitor over time of training."""
STATE = ("spent", "trained", "per_row", "fixed", "fit")


def limit_of(preset: str) -> float:
    """The largest share of a preset. Raises InputError for an unknown one."""
    if preset not in PRESETS:
        raise InputError(f"cost {preset!r}: not known. Choose one of {', '.join(PRESETS)}.")
    return PRESETS[preset]


@dataclass
class Cost:
    """Seconds of the monitor (`spent`) and of training (`trained`), of all sittings of a run.

    limit: of spent / trained. per_row: seconds for one sequence in one forward pass, None before one was measured;
    fit: for a fit of the loss curve; fixed: of a measurement beside its passes and its fit. All three are means in
    which each new measurement has half the weight.
    """

    limit: float
    spent: float = 0.0
    trained: float = 0.0
    per_row: float | None = None
    fixed: float = 0.0
    fit: float = 0.0
    _last: float | None = None

    @property
    def share(self) -> float:
        """Time of the monitor over time of training so far."""
        return self.spent / self.trained if self.trained > 0 else 0.0

    def enter(self, *, wait: bool) -> None:
        """The time since `leave` was training's. wait: for what training still computes on a GPU."""
        if wait and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.synchronize()
        now = time.perf_counter()
        if self._last is not None:
            self.trained += now - self._last
        self._last = now

    def leave(self) -> None:
        """The time since `enter`, or since the last call, was the monitor's."""
        now = time.perf_counter()
        self.spent += now - (now if self._last is None else self._last)
        self._last = now

    def state(self) -> dict[str, float | None]:
        """For JSON."""
        return {name: getattr(self, name) for name in STATE}

    def load(self, state: Mapping[str, float | None]) -> None:
        """Continue from a state; the time in between is nobody's."""
        for name in STATE:
            setattr(self, name, state.get(name, getattr(self, name)))
        self._last = None

    def learn_pass(self, seconds: float, rows: int) -> None:
        """Count the time of a forward pass over some sequences."""
        now = seconds / rows
        self.per_row = now if self.per_row is None else (self.per_row + now) / 2

    def learn_fixed(self, seconds: float) -> None:
        """Count the time of a measurement beside its passes and its fit."""
        self.fixed = (self.fixed + seconds) / 2

    def learn_fit(self, seconds: float) -> None:
        """Count the time of a fit."""
        self.fit = (self.fit + seconds) / 2

    @property
    def allows_fit(self) -> bool:
        """Whether a fit now stays within the limit."""
        return self.spent + self.fit <= self.limit * self.trained

    def first_step(self, step: int, rows: int) -> int:
        """About the first step at which these sequences can be measured; this step if they can be now.

        Updates are taken to last as long as those so far.
        """
        seconds = (self.spent + self.fixed + 2 * rows * (self.per_row or 0.0)) / self.limit
        return max(step, math.ceil(step * seconds / self.trained)) if self.trained > 0 else step

    def rows(self, wanted: int) -> int:
        """How many of the wanted sequences can be measured, before and after an update, within the limit."""
        if self.limit == float("inf"):
            return wanted
        left = self.limit * self.trained - self.spent - self.fixed
        if self.per_row is None or left <= 0:
            return 0
        return min(wanted, int(left / (2 * self.per_row))) if self.per_row > 0 else wanted
