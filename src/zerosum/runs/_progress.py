"""How far a run is, from its log alone: the loss, its verdict so far, where it will end, what the monitor logged."""

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from zerosum.curves import LossCurve, read_curve
from zerosum.curves.folders import run_log
from zerosum.curves.json_file import load_object
from zerosum.deceleration import Analysis, Fit, Forecast, fit, law_forecast
from zerosum.errors import InputError
from zerosum.estimate import Estimate
from zerosum.record import Record
from zerosum.runs._monitor_log import MonitorLog, read_monitor_log
from zerosum.runs._ngrams import ngrams_of, noted

RECENT = 0.05  # of all steps: over the last of them the loss is averaged
KEPT = 0.05  # growth of a log for which a fit is kept that takes up to a second
RECIPE = "recipe.yaml"


@dataclass(frozen=True, repr=False)
class Progress(Record):
    """A run while it trains. source: its log or folder. total_steps: None where the log does not say it.

    fit: of the loss so far, with the verdict of `zerosum fit`; None before there is a loss, and `reason` says why.
    monitor: None where the monitor logged nothing. fitted_at: last step of the log when it was fitted.
    """

    name: str
    source: str
    total_steps: int | None
    fit: Fit | None
    monitor: MonitorLog | None
    reason: str = ""
    fitted_at: float = math.nan

    @property
    def step(self) -> int:
        """The last step that was logged."""
        of_loss = int(self.fit.curve.step[-1]) if self.fit else 0
        return max(of_loss, self.monitor.steps[-1].step if self.monitor and self.monitor.steps else 0)

    @property
    def loss(self) -> Estimate:
        """Geometric mean of the training losses of the last 5 % of the steps."""
        if self.fit is None:
            return Estimate(math.nan, reason=self.reason, unit="nats per token")
        curve = self.fit.curve
        recent = curve.loss[curve.step >= (1 - RECENT) * curve.step[-1]]
        mean = float(np.exp(np.log(recent).mean()))
        why = "a mean over steps whose losses are not independent"
        return Estimate(mean, reason=why, N=len(recent), of="logged losses", unit="nats per token")

    @property
    def expected(self) -> Forecast | None:
        """The loss at the last step, or, where that is not known, at twice the steps so far; None without a fit."""
        if self.fit is None:
            return None
        return law_forecast(self.fit, max(self.total_steps or 2 * self.step, 1))

    def to_json(self) -> dict[str, Any]:
        """Step, loss, verdict with its numbers, expected loss, and what the monitor logged; null where unknown."""
        fitted, expected = self.fit, self.expected
        numbers = {name: fitted.estimate(name).to_json() if fitted else None for name in ("t_d", "L_d", "r_d")}
        cost = self.monitor.latest("cost") if self.monitor else math.nan
        return {
            "source": self.source,
            "name": self.name,
            "step": self.step,
            "total_steps": self.total_steps,
            "loss": self.loss.to_json(),
            "verdict": fitted.verdict if fitted else None,
            "reasons": [asdict(reason) for reason in fitted.reasons] if fitted else [],
            **numbers,
            "expected": expected.to_json() if expected else None,
            "cost": cost if math.isfinite(cost) else None,
            "monitor": self.monitor.to_json() if self.monitor else None,
            **({"reason": self.reason} if self.reason else {}),
        }


def read_progress(log: Path, source: Path | None = None, earlier: Progress | None = None) -> Progress:
    """log: of the run, a file or folder. source: where the run itself is, if the log is a copy.

    earlier: of the same run: its fit beside other laws is kept while the log grows by less than 5 %.
    Raises InputError where the log has neither losses nor values of the monitor.
    """
    source = source or log
    monitor, why = read_monitor_log(run_log(log)), ""
    try:
        curve = read_curve(run_log(log))
    except InputError as error:
        if monitor is None:
            raise
        curve, why = None, " ".join(str(error).split()).replace(str(log), str(source))
    total = (monitor.total_steps if monitor else None) or _total_steps(source, curve)
    name = source.resolve().name
    if curve is None:
        return Progress(name, str(source), total, None, monitor, why)
    curve = replace(curve, name=name, source=str(source))
    if earlier is not None and earlier.fit is not None and _still_holds(earlier.fit, earlier.fitted_at, curve):
        return replace(earlier, total_steps=total, fit=replace(earlier.fit, curve=curve), monitor=monitor)
    return Progress(name, str(source), total, _fit(curve), monitor, why, float(curve.step[-1]))


def _still_holds(fitted: Fit, fitted_at: float, curve: LossCurve) -> bool:
    """Whether a fit that took long is of nearly the whole curve, which has only grown since."""
    has_grown = np.array_equal(curve.loss[: len(fitted.curve)], fitted.curve.loss)
    return bool(fitted.models) and has_grown and bool(curve.step[-1] <= (1 + KEPT) * fitted_at)


def _fit(curve: LossCurve) -> Fit:
    """The fit and verdict of `zerosum fit`. Where there is a break it takes up to a second.

    A break is fitted beside other laws, which can only speak against it: without them the verdict could be firmer.
    """
    fitted = fit(curve)
    if fitted.has_break:
        fitted = fit(curve, models=True)
    return noted(Analysis(fitted, (), ()), ngrams_of(curve.source)).fit


def _total_steps(source: Path, curve: LossCurve | None) -> int | None:
    """The length of the run by its recipe or by Trainer's state."""
    try:
        if curve is not None and curve.format == "trainer_state":
            total = load_object(Path(curve.source)).get("max_steps")
        else:
            total = yaml.safe_load((source / RECIPE).read_text(encoding="utf-8"))["steps"]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return None
    return total if isinstance(total, int) and total > 0 else None
