"""Where values go: a function such as wandb.log, a SummaryWriter of TensorBoard, or a file of JSON lines."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zerosum.errors import InputError
from zerosum.monitor import names
from zerosum.monitor.guards import Guards, Warned

Function = Callable[..., object]
"""Called as log(values, step=step)."""
Loss = tuple[int, float, float | None]
"""Step, training loss in nats, and learning rate where it is known."""


class ToFunction:
    """Finite values go to a function; the training loss is the user's own to log. text: also takes warnings."""

    def __init__(self, function: Function, text: Callable[[Warned], object] | None = None):
        self._function, self._text = function, text

    def values(self, step: int, values: Mapping[str, float], reason: str) -> None:
        """Values that are not defined are left out."""
        self._function({name: value for name, value in values.items() if math.isfinite(value)}, step=step)

    def losses(self, losses: Sequence[Loss]) -> None:
        """Nothing."""

    def warning(self, warned: Warned) -> None:
        """How many there are so far, at the step where training is: some loggers refuse earlier ones."""
        self._function({names.WARNINGS: float(warned.count)}, step=warned.logged_at)
        if self._text:
            self._text(warned)


class ToFile:
    """Appends rows to a file of JSON lines, which `zerosum fit` and `zerosum curves` read."""

    def __init__(self, path: Path):
        self._path = path

    def values(self, step: int, values: Mapping[str, float], reason: str) -> None:
        """A row of its own; null where a value is not defined, with `zerosum/reason`."""
        row = {name: value if math.isfinite(value) else None for name, value in values.items()}
        self._append([{"step": step, **row} | ({names.REASON: reason} if reason else {})])

    def losses(self, losses: Sequence[Loss]) -> None:
        """A row `step`, `loss`, `lr` of each."""
        self._append(
            [
                {"step": step, "loss": loss if math.isfinite(loss) else None} | ({} if lr is None else {"lr": lr})
                for step, loss, lr in losses
            ]
        )

    def warning(self, warned: Warned) -> None:
        """A row of its own, which `zerosum watch` shows."""
        self._append([{"step": warned.step, names.WARNING: warned.code, names.MESSAGE: warned.message}])

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
        return _to_writer(target)
    if callable(target):
        return ToFunction(target)
    raise InputError(f"log {type(target).__name__}: nothing to log to. Give wandb.log, a SummaryWriter, or a path.")


def _to_writer(writer: Any) -> ToFunction:
    def text(warned: Warned) -> None:
        if hasattr(writer, "add_text"):
            writer.add_text(names.WARNING, f"{warned.code}: {warned.message}", warned.logged_at)

    return ToFunction(lambda values, step: [writer.add_scalar(*item, step) for item in values.items()], text)


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

    def warning(self, warned: Warned) -> None:
        """A warning of the monitor."""
        self._send(lambda: self._target.warning(warned))

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
