"""Where values go: a function such as wandb.log, a SummaryWriter of TensorBoard, or a file of JSON lines."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zerosum.errors import InputError
from zerosum.monitor.guards import Guards

Function = Callable[..., object]
"""Called as log(values, step=step)."""
Loss = tuple[int, float, float | None]
"""Step, training loss in nats, and learning rate where it is known."""


class ToFunction:
    """Finite values go to a function; the training loss is the user's own to log."""

    def __init__(self, function: Function):
        self._function = function

    def values(self, step: int, values: Mapping[str, float], reason: str) -> None:
        """Values that are not defined are left out."""
        self._function({name: value for name, value in values.items() if math.isfinite(value)}, step=step)

    def losses(self, losses: Sequence[Loss]) -> None:
        """Nothing."""

    def warning(self, step: int, code: str, message: str) -> None:
        """Nothing: loggers take numbers."""


class ToFile:
    """Appends rows to a file of JSON lines, which `zerosum fit` and `zerosum curves` read."""

    def __init__(self, path: Path):
        self._path = path

    def values(self, step: int, values: Mapping[str, float], reason: str) -> None:
        """A row of its own; null where a value is not defined, with `zerosum/reason`."""
        row = {name: value if math.isfinite(value) else None for name, value in values.items()}
        self._append([{"step": step, **row} | ({"zerosum/reason": reason} if reason else {})])

    def losses(self, losses: Sequence[Loss]) -> None:
        """A row `step`, `loss`, `lr` of each."""
        self._append(
            [
                {"step": step, "loss": loss if math.isfinite(loss) else None} | ({} if lr is None else {"lr": lr})
                for step, loss, lr in losses
            ]
        )

    def warning(self, step: int, code: str, message: str) -> None:
        """A row of its own, which `zerosum watch` shows."""
        self._append([{"step": step, "zerosum/warning": code, "zerosum/message": message}])

    def _append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(row) + "\n" for row in rows))


def log_to(target: Any) -> ToFunction | ToFile:
    """Raises InputError for what is no function, writer or path."""
    if target is None:
        return ToFunction(lambda values, step: None)
    if isinstance(target, str | Path):
        return ToFile(Path(target))
    if hasattr(target, "add_scalar"):
        return ToFunction(lambda values, step: [target.add_scalar(*item, step) for item in values.items()])
    if callable(target):
        return ToFunction(target)
    raise InputError(f"log {type(target).__name__}: nothing to log to. Give wandb.log, a SummaryWriter, or a path.")


class Log:
    """Sends values to what the user or, where that is nothing, the host chose. Its first error is told and ends it."""

    def __init__(self, target: Any, guards: Guards):
        self._target, self._is_chosen, self._guards, self._works = log_to(target), target is not None, guards, True
        guards.log = self.warning

    def use(self, target: Any) -> None:
        """For hosts: log here where the user chose nothing."""
        if not self._is_chosen:
            self._target = log_to(target)

    def values(self, step: int, values: Mapping[str, float], reason: str) -> None:
        """What was measured at a step."""
        self._send(lambda: self._target.values(step, values, reason))

    def losses(self, losses: Sequence[Loss]) -> None:
        """Losses of training."""
        self._send(lambda: self._target.losses(losses))

    def warning(self, step: int, code: str, message: str) -> None:
        """A warning of the monitor."""
        self._send(lambda: self._target.warning(step, code, message))

    def _send(self, call: Callable[[], object]) -> None:
        if self._works:
            try:
                call()
            except Exception as error:  # noqa: BLE001  # loggers raise anything; training and measuring go on
                self._works = False
                cause = " ".join(str(error).split())[:300]
                self._guards.tell(
                    "log", f"the logger failed ({type(error).__name__}: {cause}); nothing more is logged."
                )
