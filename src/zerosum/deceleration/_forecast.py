"""`forecast`: the loss at a later step, by three methods; `backtest`: the same forecasts made earlier in the run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite, nan
from typing import Any

import numpy as np
from jaxtyping import Float

from zerosum.curves import LossCurve
from zerosum.deceleration._fit import fit
from zerosum.deceleration._prepare import PROCEDURES
from zerosum.deceleration._record import NATS, Fit, Phase, ProcedureName
from zerosum.deceleration.extrapolation import Extrapolation, floor_of_last_decade, power_law
from zerosum.deceleration.fit_errors import errors_of_points, one_break_design, rates_of
from zerosum.deceleration.local_slopes import last_decade_rate
from zerosum.deceleration.observed import up_to
from zerosum.deceleration.points import Points
from zerosum.errors import InputError
from zerosum.estimate import Estimate, Interval, number_or_reason

Number = float | int
FRACTIONS = (0.25, 0.5, 0.75)
DECAYED = 0.5  # of the peak rate; a schedule that ends below this is taken for finished


@dataclass(frozen=True)
class Forecast:
    """The loss at step T in nats, for a run that goes on as it went in the fitted range: same data, same rate.

    method: "one-break" ("power-law" where the verdict is no-break), "floor-last-decade" or "stays". interval: from the
    errors of the fit (`fit_errors`), given that the law goes on to hold; None, or a loss of NaN, with the cause in
    `reason`, which also says what else speaks against the forecast. An extrapolated one-break law is optimistic on real
    curves: read `backtest` beside it.
    """

    method: str
    T: float
    loss: float
    interval: Interval | None
    reason: str = ""

    @property
    def estimate(self) -> Estimate:
        """The loss with its interval, or the reason why there is none."""
        return Estimate(self.loss, self.interval, self.reason, unit=NATS)

    def to_json(self) -> dict[str, Any]:
        """As a JSON document; what cannot be given is null with a reason beside it."""
        out: dict[str, Any] = {"method": self.method, "T": self.T, **number_or_reason("loss", self.loss, self.reason)}
        if self.interval is None:
            return out | {"interval": None, "interval_reason": self.reason}
        return out | {"interval": list(self.interval)} | ({"reason": self.reason} if self.reason else {})


@dataclass(frozen=True)
class BacktestRow:
    """A forecast of the loss at the last fitted step from the first `fraction` of the steps, and the loss that came.

    forecast: for that step. reached: the loss that came, nats. error: forecast over reached, minus 1; below 0 is
    optimistic. held: whether the interval holds `reached`; None without an interval.
    """

    fraction: float
    from_step: float
    forecast: Forecast
    reached: float

    @property
    def error(self) -> float:
        """Relative error of the forecast; NaN without one."""
        return self.forecast.loss / self.reached - 1

    @property
    def held(self) -> bool | None:
        """Whether the loss that came lies in the interval."""
        interval = self.forecast.interval
        return None if interval is None else interval[0] <= self.reached <= interval[1]

    def to_json(self) -> dict[str, Any]:
        """As a JSON document: that of the forecast, and how it turned out."""
        start: dict[str, Any] = {
            "fraction": self.fraction,
            "from_step": self.from_step,
            "reached": self.reached,
            "held": self.held,
        }
        start |= {} if self.forecast.interval else {"held_reason": self.forecast.reason}
        return start | number_or_reason("error", self.error, self.forecast.reason) | self.forecast.to_json()


def forecast(
    curve: LossCurve,
    T: Number,
    *,
    procedure: ProcedureName = "robust",
    cutoff: Number | None = None,
    level: float = 0.95,
    phase: Phase | None = None,
) -> tuple[Forecast, ...]:
    """The loss at step T by the one-break law, by a power law with floor on the last decade, and if it stays as it is.

    procedure, cutoff, level, phase: as for `fit`. Of a run with a cooldown the stable phase goes on: what a cooldown
    gains comes on top.

    Raises InputError for a T that is not a step.
    """
    return forecast_of(fit(curve, procedure=procedure, cutoff=cutoff, level=level, phase=phase), T)


def forecast_of(fitted: Fit, T: Number) -> tuple[Forecast, ...]:
    """The forecasts of a given fit."""
    return law_forecast(fitted, T), *(_flagged(fitted, way(fitted, float(T))) for way in (_floor, _stays))


def law_forecast(fitted: Fit, T: Number) -> Forecast:
    """The first of `forecast_of`, if the fitted law goes on: a tenth of the time of all three."""
    if not (isfinite(T) and T > 0):
        raise InputError(f"T {T!r}: not a step. Give a positive number of steps.")
    law = _power_law if fitted.verdict == "no-break" else _one_break
    return _flagged(fitted, law(fitted, float(T)))


def _flagged(fitted: Fit, forecast: Forecast) -> Forecast:
    flag = _schedule_over(fitted) if fitted.last_step < forecast.T else ""
    return replace(forecast, reason="; ".join(filter(None, (forecast.reason, flag))))


def backtest(
    curve: LossCurve,
    fractions: Sequence[float] = FRACTIONS,
    *,
    procedure: ProcedureName = "robust",
    cutoff: Number | None = None,
    level: float = 0.95,
    phase: Phase | None = None,
) -> tuple[BacktestRow, ...]:
    """Forecasts of the last fitted step from the first part of the fitted range, beside the loss that came.

    fractions: of the last fitted step, between 0 and 1. The others: as for `fit`.
    """
    return backtest_of(fit(curve, procedure=procedure, cutoff=cutoff, level=level, phase=phase), fractions)


def backtest_of(fitted: Fit, fractions: Sequence[float] = FRACTIONS) -> tuple[BacktestRow, ...]:
    """The back-test of a given fit; each part is fitted with the same procedure and cut-off."""
    wrong = [fraction for fraction in fractions if not 0 < fraction < 1]
    if wrong:
        raise InputError(f"fraction {wrong[0]!r}: not between 0 and 1. Give parts of the run, e.g. 0.25.")
    rows = []
    for fraction in fractions:
        end = fraction * fitted.last_step
        if end < fitted.curve.step[0] or end <= 0:
            continue
        part = up_to(fitted.curve, end)
        part_fit = fit(
            part, procedure=fitted.procedure, cutoff=fitted.cutoff, level=fitted.interval_level, phase="whole"
        )
        rows += [
            BacktestRow(fraction, part_fit.last_step, forecast, fitted.L_T)
            for forecast in forecast_of(part_fit, fitted.last_step)
        ]
    return tuple(rows)


def _one_break(fitted: Fit, T: float) -> Forecast:
    blocking = next((reason.message for reason in fitted.reasons if reason.level == "blocking"), "")
    loss = float(fitted.predict(T))
    if blocking or not isfinite(loss):
        return Forecast("one-break", T, nan, None, blocking or "the law cannot be fitted")
    if fitted.fit_errors is None or fitted.intervals["r_d"] is None:
        return Forecast("one-break", T, loss, None, fitted.interval_reasons.get("r_d", "the fit keeps no errors"))
    ahead = one_break_design(np.log([T]), *rates_of(fitted.params))
    half = float(fitted.fit_errors.spread(ahead).half_widths(fitted.interval_level)[0])
    return _with_interval("one-break", T, float(np.log(loss)), half)


def _power_law(fitted: Fit, T: float) -> Forecast:
    x, y, points = _fitted(fitted)
    return _extrapolated("power-law", T, power_law(x, y, float(np.log(T))), points, fitted)


def _extrapolated(method: str, T: float, law: Extrapolation, points: Points, fitted: Fit) -> Forecast:
    weight = points.after(fitted.cutoff)
    weight[weight > 0] = law.used
    errors = errors_of_points(points, weight, law.residual, law.design)
    half = float(errors.spread(law.ahead[None]).half_widths(fitted.interval_level)[0])
    return _with_interval(method, T, law.log_loss, half)


def _fitted(fitted: Fit) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"], Points]:
    """x and y of the points that were fitted, and all points."""
    points = PROCEDURES[fitted.procedure].points(up_to(fitted.curve, fitted.last_step))
    used = points.after(fitted.cutoff) > 0
    return points.x[used], points.y[used], points


def _schedule_over(fitted: Fit) -> str:
    """Why a fit through a decay of the learning rate says little about later steps; empty where there is no decay."""
    curve = fitted.curve
    if curve.lr is None or fitted.last_step < curve.step[-1]:
        return ""
    left = float(curve.lr[-1] / curve.lr.max()) if curve.lr.max() > 0 else 1.0
    if left > DECAYED:
        return ""
    return (
        f"the learning rate had decayed to {left:.2g} of its peak by step {fitted.last_step:g}: the schedule is over, "
        "and a longer run, which decays later, follows another curve"
    )


def _floor(fitted: Fit, T: float) -> Forecast:
    method = "floor-last-decade"
    if fitted.last_step / 10 > T:
        return Forecast(method, T, nan, None, f"step {T:g} lies before the last decade")
    x, y, points = _fitted(fitted)
    rate, _ = last_decade_rate(x, y)
    if rate <= 0:
        return Forecast(method, T, nan, None, "the loss does not fall over the last decade of steps")
    law = floor_of_last_decade(x, y, float(np.log(T)))
    if law is None:
        return Forecast(method, T, nan, None, "fewer than 12 points lie in the last decade of steps")
    return _extrapolated(method, T, law, points, fitted)


def _with_interval(method: str, T: float, log_loss: float, half: float) -> Forecast:
    plain = Forecast(method, T, float(np.exp(log_loss)), None, "the interval has no finite end")
    with np.errstate(over="ignore"):
        low, high = np.exp([log_loss - half, log_loss + half])
    return replace(plain, interval=(float(low), float(high)), reason="") if np.isfinite([low, high]).all() else plain


def _stays(fitted: Fit, T: float) -> Forecast:
    if fitted.last_step > T:
        return Forecast("stays", T, nan, None, f"step {T:g} lies before the last fitted step {fitted.last_step:g}")
    x, y, _ = _fitted(fitted)
    falls = not last_decade_rate(x, y)[0] <= 0
    what = "a bound rather than an estimate" if falls else "no bound, as the loss does not fall any more"
    return Forecast("stays", T, fitted.L_T, None, f"the last loss as it is: {what}")
