"""The losses of training, on their way to the running verdict, the guards and the log."""

from typing import Any

from zerosum.monitor.guards import Guards
from zerosum.monitor.log import Log
from zerosum.monitor.running_verdict import RunningVerdict

WAITING = 64  # losses on a GPU that are looked at together: each look waits for what it computes


class TrainingLosses:
    """optimizer: for its learning rate, where none is given with a loss; None without."""

    def __init__(self, optimizer: Any, verdict: RunningVerdict, guards: Guards, log: Log):
        self._optimizer, self._verdict, self._guards, self._log = optimizer, verdict, guards, log
        self._waiting: list[tuple[int, Any, float | None]] = []

    def add(self, step: int, loss: Any, lr: float | None) -> None:
        """The loss of the update after `step` others, nats per token, a number or tensor."""
        if lr is None and self._optimizer is not None:
            lr = float(self._optimizer.param_groups[0]["lr"])
        self._waiting.append((step, loss.detach() if hasattr(loss, "detach") else loss, lr))
        if len(self._waiting) >= WAITING or not getattr(loss, "is_cuda", False):
            self.look()

    def look(self) -> None:
        """Look at the losses that wait."""
        waiting, self._waiting = self._waiting, []
        for step, value, lr in waiting:
            loss = float(value)
            self._verdict.bins.add(step + 1, loss, lr)
            self._guards.loss(step, loss, lr)
            self._log.loss(step, loss, lr)
