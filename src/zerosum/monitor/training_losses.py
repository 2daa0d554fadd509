"""The losses of training, on their way to the running verdict, the guards and the log."""

import time
from collections.abc import Sequence
from typing import Any

from zerosum.monitor.guards import Guards
from zerosum.monitor.log import Log
from zerosum.monitor.running_verdict import RunningVerdict

MOST_WAITING = 64
LONGEST_WAIT = 1.0
"""Losses are looked at together, at most 64 and after a second at most: that is faster, and on a GPU each look waits
for what it computes."""


class TrainingLosses:
    """optimizers: the first has the learning rate, where none is given with a loss."""

    def __init__(self, optimizers: Sequence[Any], verdict: RunningVerdict, guards: Guards, log: Log):
        self._optimizers, self._verdict, self._guards, self._log = optimizers, verdict, guards, log
        self._waiting: list[tuple[int, Any, float | None]] = []
        self._looked = time.monotonic()

    def add(self, step: int, loss: Any, lr: float | None) -> None:
        """The loss of the update after `step` others, nats per token, a number or tensor."""
        if lr is None and self._optimizers:
            groups = getattr(self._optimizers[0], "param_groups", None)
            lr = float(groups[0]["lr"]) if groups and "lr" in groups[0] else None
        if hasattr(loss, "detach"):
            loss = loss.item() if loss.device.type == "cpu" else loss.detach()
        self._waiting.append((step, loss, lr))
        if len(self._waiting) >= MOST_WAITING or time.monotonic() - self._looked > LONGEST_WAIT:
            self.look()

    def look(self) -> None:
        """Look at the losses that wait."""
        waiting = [(step, float(loss), lr) for step, loss, lr in self._waiting]
        self._waiting.clear()
        for step, loss, lr in waiting:
            self._verdict.bins.add(step + 1, loss, lr)
            self._guards.loss(step, loss, lr)
        if waiting:
            self._log.losses(waiting)
        self._looked = time.monotonic()
