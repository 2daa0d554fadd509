"""The verdict on the training loss so far, from log-spaced bins in constant memory, and how earlier forecasts held."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zerosum.curves import LossCurve
from zerosum.deceleration import Fit, fit, law_forecast
from zerosum.monitor import names

PER_DECADE = 80  # twice those of a fit, which makes its own bins of them
FIRST_FIT = 256  # step; earlier fits have too few points
NEAR = 0.05  # a forecast is compared with the mean loss of this last share of its steps


@dataclass
class LossBins:
    """Sums of log step, log loss and learning rate for each bin of steps; 80 bins for a factor of ten in steps.

    sums: number of the bin -> [losses, sum of log step, sum of log loss, rates, sum of rates].
    """

    sums: dict[int, list[float]] = field(default_factory=dict)

    def add(self, step: int, loss: float, lr: float | None) -> None:
        """Count one loss in nats, that of update `step` (1 is the first); others than positive ones are left out."""
        if step < 1 or not (loss > 0 and math.isfinite(loss)):
            return
        sums = self.sums.setdefault(int(math.log10(step) * PER_DECADE + 1e-9), [0, 0.0, 0.0, 0, 0.0])
        for place, value in enumerate((1, math.log(step), math.log(loss))):
            sums[place] += value
        if lr is not None and math.isfinite(lr):
            sums[3] += 1
            sums[4] += lr

    def curve(self) -> LossCurve | None:
        """The bins as a loss curve, with the learning rate where every bin has one; None before the first loss."""
        if not self.sums:
            return None
        n, x, y, n_lr, lr = np.array([self.sums[key] for key in sorted(self.sums)]).T
        rates = lr / n_lr if (n_lr > 0).all() else None
        return LossCurve("this run", np.exp(x / n), np.exp(y / n), lr=rates, format="monitor")

    def near(self, step: int) -> float:
        """Geometric mean of the losses of the last 5 % of the steps up to here; NaN without any."""
        first = math.log10(max(1.0, step * (1 - NEAR))) * PER_DECADE
        last = [sums for key, sums in self.sums.items() if key >= first - 1]
        n = sum(sums[0] for sums in last)
        return math.exp(sum(sums[2] for sums in last) / n) if n else math.nan


@dataclass
class RunningVerdict:
    """Fits the curve seen so far. total_steps: of the run, where known. forecasts: step -> loss forecast for it."""

    total_steps: int | None = None
    bins: LossBins = field(default_factory=LossBins)
    forecasts: dict[int, float] = field(default_factory=dict)
    fitted: Fit | None = None
    forecast_error: float = math.nan

    def update(self, step: int) -> dict[str, float]:
        """Fit the curve at a scheduled step; the numbers to log. Nothing before step 256 or without losses."""
        curve = self.bins.curve()
        if step < FIRST_FIT or curve is None:
            return {}
        self._judge(step)
        self.fitted = fit(curve)
        ahead = law_forecast(self.fitted, 2 * step).loss
        if math.isfinite(ahead):
            self.forecasts[2 * step] = ahead
        return dict(self._values())

    def _judge(self, step: int) -> None:
        """Compare the forecast that was made for this step, and forget those that are past."""
        reached = self.bins.near(step)
        self.forecast_error = self.forecasts.get(step, math.nan) / reached - 1
        self.forecasts = {at: loss for at, loss in self.forecasts.items() if at > step}

    def _values(self) -> Iterator[tuple[str, float]]:
        fitted = self.fitted
        if fitted is None:
            return
        if fitted.verdict in ("decelerates", "accelerates"):
            yield from ((names.T_D, fitted.t_d), (names.L_D, fitted.L_d), (names.R_D, fitted.r_d))
        if self.total_steps and fitted.verdict != "cannot-tell":
            yield names.L_END, law_forecast(fitted, self.total_steps).loss
        if math.isfinite(self.forecast_error):
            yield names.FORECAST_ERROR, self.forecast_error

    def state(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "bins": {str(key): sums for key, sums in self.bins.sums.items()},
            "forecasts": {str(step): loss for step, loss in self.forecasts.items()},
        }

    def load(self, state: dict[str, Any]) -> None:
        """Continue from a state."""
        bins = {int(key): list(map(float, sums)) for key, sums in state["bins"].items()}
        self.forecasts = {int(step): float(loss) for step, loss in state["forecasts"].items()}
        self.bins.sums = bins
