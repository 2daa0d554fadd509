"""What the live monitor logged of a run, read back from whatever logger it used."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any

from zerosum.curves import logged_under
from zerosum.curves.monitor_rows import PREFIX
from zerosum.curves.numerals import as_number
from zerosum.estimate import Estimate
from zerosum.record import Record

NATS = ("M", "delta_L")
TEXTS = ("reason", "warning", "message")
NOT_LOGGED = "not logged"


@dataclass(frozen=True)
class LoggedStep:
    """What was logged of the update after `step` updates.

    values: by their names without `zerosum/`. reason: why D is not defined; "" where it is.
    """

    step: int
    values: Mapping[str, float]
    reason: str = ""

    def N(self, span: str) -> int | None:
        """How many predicted tokens were measured; None where that was not logged."""
        N = self.values.get(f"N_{span}", math.nan)
        return int(N) if math.isfinite(N) else None

    def estimate(self, number: str, span: str = "step") -> Estimate:
        """A number of the loss changes, as "D" or "M", with N and the interval where they were logged.

        span: "step" (one update), "batch" (of its own tokens), "double" (since half this many steps), "double_average"
        (the same at averaged weights).
        """
        name = number if (number, span) == ("harmful_share", "step") else f"{number}_{span}"
        low, high = (self.values.get(f"{number}_{end}_{span}", math.nan) for end in ("low", "high"))
        interval = (low, high) if math.isfinite(low) and math.isfinite(high) else None
        value = self.values.get(name, math.nan)
        reason = "" if interval else "no interval was logged" if math.isfinite(value) else self.reason or NOT_LOGGED
        unit = "nats per token" if number in NATS else ""
        return Estimate(value, interval, reason, self.N(span), "tokens", unit)

    def to_json(self) -> dict[str, Any]:
        """`step`, the values, null where one is not defined, and the reason."""
        values = {name: value if math.isfinite(value) else None for name, value in self.values.items()}
        return {"step": self.step, **values, "reason": self.reason or None}


@dataclass(frozen=True)
class LoggedWarning:
    """A warning of the monitor. code: of its kind; message: a sentence."""

    step: int
    code: str
    message: str

    def to_json(self) -> dict[str, Any]:
        """`step`, `code` and `message`."""
        return {"step": self.step, "code": self.code, "message": self.message}


@dataclass(frozen=True, repr=False)
class MonitorLog(Record):
    """What the live monitor logged of a run, in the order of steps; of a step measured twice the later values.

    total_steps: of the run, where that was logged.
    """

    steps: tuple[LoggedStep, ...]
    warnings: tuple[LoggedWarning, ...] = ()
    total_steps: int | None = None

    def of(self, span: str) -> tuple[LoggedStep, ...]:
        """The steps at which loss changes over such a span were measured."""
        return tuple(step for step in self.steps if math.isfinite(step.values.get(f"M_{span}", math.nan)))

    def latest(self, name: str) -> float:
        """The last finite value under a name; NaN without one."""
        values = (step.values.get(name, math.nan) for step in reversed(self.steps))
        return next(filter(math.isfinite, values), math.nan)

    @property
    def n_warnings(self) -> int:
        """How many warnings were told. Loggers that take numbers alone have no more of them."""
        counts = (step.values.get("warnings", 0.0) for step in self.steps)
        return max(len(self.warnings), *(int(count) for count in counts if math.isfinite(count)), 0)

    def to_json(self) -> dict[str, Any]:
        """All steps and warnings."""
        return {
            "steps": [step.to_json() for step in self.steps],
            "warnings": [warning.to_json() for warning in self.warnings],
            "n_warnings": self.n_warnings,
        }


def read_monitor_log(source: str | PathLike[str]) -> MonitorLog | None:
    """The record of what the monitor wrote into a log; None where it wrote nothing.

    source: a file or folder, as for `zerosum.read_curve`. Raises InputError where no log can be read.
    """
    numbers: dict[int, dict[str, float]] = {}
    reasons: dict[int, str] = {}
    warnings: list[LoggedWarning] = []
    for row_step, values in logged_under(PREFIX, source):
        own = as_number(values.pop("step", None))  # our own loop logs the update from t to t + 1 in row t + 1
        step = int(own) if math.isfinite(own) else row_step
        if "warning" in values:
            warnings.append(LoggedWarning(step, str(values["warning"]), str(values.get("message") or "")))
            continue
        found = dict(_numbers(values))
        if "M_step" in found:
            reasons[step] = str(values.get("reason") or "")
        numbers.setdefault(step, {}).update(found)
    if not (numbers or warnings):
        return None
    total = [int(values.pop("total_steps")) for values in numbers.values() if "total_steps" in values]
    steps = (LoggedStep(step, numbers[step], reasons.get(step, "")) for step in sorted(numbers) if numbers[step])
    return MonitorLog(tuple(steps), tuple(warnings), total[-1] if total else None)


def _numbers(values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The numbers, NaN where one is not defined; an empty cell of a table is no value."""
    return ((name, as_number(value)) for name, value in values.items() if name not in TEXTS and value != "")
