"""The cost of the monitor: its time is measured, and held below the share of training time that was chosen."""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from zerosum.errors import InputError

PRESETS = {"economy": 0.01, "business": 0.05, "full": float("inf")}
"""Largest time of the monitor over time of training."""
RESERVE = 1.5
"""Work begins only where this many times its predicted time is within the limit."""
RECENT = 4
"""A prediction is the longest of so many measurements, the last ones."""


def limit_of(preset: str) -> float:
    """The largest share of a preset. Raises InputError for an unknown one."""
    if preset not in PRESETS:
        raise InputError(f"cost {preset!r}: not known. Choose one of {', '.join(PRESETS)}.")
    return PRESETS[preset]


@dataclass
class Cost:
    """Seconds of the monitor (`spent`) and of training (`trained`), of all sittings of a run, and its updates.

    limit: of spent / trained. recent: kind of work -> seconds of its last four measurements.
    """

    limit: float
    spent: float = 0.0
    trained: float = 0.0
    updates: int = 0
    recent: dict[str, list[float]] = field(default_factory=dict)
    _last: float | None = None
    _in_named_work: float = 0.0

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit."""
        return self.limit < math.inf

    @property
    def has_begun(self) -> bool:
        """Whether the clock runs in this sitting."""
        return self._last is not None

    @property
    def share(self) -> float:
        """Time of the monitor over time of training so far."""
        return self.spent / self.trained if self.trained > 0 else 0.0

    @property
    def per_update(self) -> float:
        """Mean seconds of training for an update."""
        return self.trained / self.updates if self.updates else 0.0

    def enter(self, *, wait: bool = False) -> None:
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
        if self._last is not None:
            self.spent += now - self._last
        self._last = now

    @contextmanager
    def work(self, kind: str) -> Iterator[None]:
        """Measures the seconds of one piece of work; nothing is learned from work that fails."""
        started = time.perf_counter()
        yield
        seconds = time.perf_counter() - started
        self._in_named_work += seconds
        self.learn(kind, seconds)

    @contextmanager
    def rest(self, kind: str) -> Iterator[None]:
        """Measures the seconds of the block without those of the pieces of work in it."""
        started, named = time.perf_counter(), self._in_named_work
        yield
        self.learn(kind, time.perf_counter() - started - (self._in_named_work - named))

    def learn(self, kind: str, seconds: float) -> None:
        """Note the seconds of a kind of work."""
        self.recent[kind] = [*self.recent.get(kind, []), seconds][-RECENT:]

    def forget_longest(self) -> None:
        """Forget the longest measurement of each kind of work that has others: it may have been an accident."""
        for seconds in self.recent.values():
            if len(seconds) > 1:
                seconds.remove(max(seconds))

    def predicted(self, kind: str) -> float:
        """Seconds that work of this kind will take: the longest of the last four; 0 before the first."""
        return max(self.recent.get(kind, [0.0]))

    def allows(self, seconds: float) -> bool:
        """Whether work of these predicted seconds, begun now, stays within the limit even if it takes half longer."""
        if not self.is_limited:
            return True
        self.leave()
        return self.spent + RESERVE * seconds <= self.limit * self.trained

    def first_step(self, step: int, seconds: float) -> int:
        """About the first step at which work of these seconds is allowed, if updates go on at this speed."""
        missing = (self.spent + RESERVE * seconds) / self.limit - self.trained
        return step + max(0, math.ceil(missing / self.per_update)) if self.per_update else step

    def state(self) -> dict[str, Any]:
        """For JSON."""
        return {"spent": self.spent, "trained": self.trained, "updates": self.updates, "recent": self.recent}

    def load(self, state: Mapping[str, Any]) -> None:
        """Continue from a state; the time in between is nobody's."""
        recent = {kind: list(map(float, seconds)) for kind, seconds in state.get("recent", {}).items() if seconds}
        updates = int(state.get("updates", 0))
        self.spent, self.trained, self.updates = float(state["spent"]), float(state["trained"]), updates
        self.recent |= recent
        self._last = None
