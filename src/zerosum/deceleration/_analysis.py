"""`analyse`: the whole analysis of one curve: fit, other laws, forecasts, and their back-test."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zerosum.curves import LossCurve
from zerosum.deceleration._breaks import Breaks, fit_breaks
from zerosum.deceleration._fit import fit
from zerosum.deceleration._forecast import BacktestRow, Forecast, Number, backtest_of, forecast_of
from zerosum.deceleration._record import Fit, Phase, ProcedureName
from zerosum.deceleration.models import ONE_BREAK
from zerosum.estimate import number_or_reason
from zerosum.record import Record

HORIZON = 2.0  # times the last fitted step, where no other is asked for


@dataclass(frozen=True, repr=False)
class Analysis(Record):
    """One curve. fit: with `models` filled. forecasts: each method at each horizon. backtest: see `BacktestRow`.

    breaks: the law with several breaks, where it was asked for.
    """

    fit: Fit
    forecasts: tuple[Forecast, ...]
    backtest: tuple[BacktestRow, ...]
    breaks: Breaks | None = None

    @property
    def one_break_criterion(self) -> float:
        """Error of the one-break law on left-out stretches, to compare with that of `breaks`. NaN without `models`."""
        return next((law.criterion for law in self.fit.models if law.name == ONE_BREAK), float("nan"))

    def to_json(self) -> dict[str, Any]:
        """The document of the fit with `forecasts` and `backtest`, and `breaks` where they were asked for."""
        document = self.fit.to_json() | {
            "forecasts": [ahead.to_json() for ahead in self.forecasts],
            "backtest": [row.to_json() for row in self.backtest],
        }
        if self.breaks is None:
            return document
        one_break = number_or_reason("one_break_criterion", self.one_break_criterion, "other laws were not fitted")
        return document | {"breaks": self.breaks.to_json() | one_break}


def analyse(
    curve: LossCurve,
    *,
    procedure: ProcedureName = "robust",
    cutoff: Number | None = None,
    level: float = 0.95,
    phase: Phase | None = None,
    horizons: Sequence[Number] = (),
    breaks: int | None = None,
) -> Analysis:
    """Fit a curve, compare other laws, forecast, and test the forecasts on the curve itself. Takes up to a second.

    horizons: steps to forecast at; none: twice the last fitted step. breaks: also fit the law with so many, 1 to 5,
    which changes no verdict. The others: as for `fit`.

    Raises InputError as `fit` and `fit_breaks` do, and for a horizon that is not a step.
    """
    fitted = fit(curve, procedure=procedure, cutoff=cutoff, level=level, phase=phase, models=True)
    ahead = [forecast_of(fitted, T) for T in horizons or (HORIZON * max(fitted.last_step, 1.0),)]
    more = None
    if breaks is not None:
        more = fit_breaks(curve, breaks, procedure=procedure, cutoff=cutoff, phase=phase, level=level)
    return Analysis(fitted, tuple(later for at in ahead for later in at), backtest_of(fitted), more)
