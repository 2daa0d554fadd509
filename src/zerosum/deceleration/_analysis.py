"""`analyse`: everything that is said about one curve: fit, other laws beside it, forecasts, and their back-test."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zerosum.curves import LossCurve
from zerosum.deceleration._fit import fit
from zerosum.deceleration._forecast import BacktestRow, Forecast, Number, backtest_of, forecast_of
from zerosum.deceleration._record import Fit, Phase, ProcedureName

HORIZON = 2.0  # times the last fitted step, where no other is asked for


@dataclass(frozen=True)
class Analysis:
    """One curve. fit: with `models` filled. forecasts: each method at each horizon. backtest: see `BacktestRow`."""

    fit: Fit
    forecasts: tuple[Forecast, ...]
    backtest: tuple[BacktestRow, ...]

    def to_json(self) -> dict[str, Any]:
        """The document of the fit with `forecasts` and `backtest` in it."""
        return self.fit.to_json() | {
            "forecasts": [one.to_json() for one in self.forecasts],
            "backtest": [row.to_json() for row in self.backtest],
        }


def analyse(
    curve: LossCurve,
    *,
    procedure: ProcedureName = "robust",
    cutoff: Number | None = None,
    level: float = 0.95,
    phase: Phase | None = None,
    horizons: Sequence[Number] = (),
) -> Analysis:
    """Fit a curve, compare other laws, forecast, and test the forecasts on the curve itself. Takes up to a second.

    horizons: steps to forecast at; none: twice the last fitted step. The others: as for `fit`.

    Raises InputError as `fit` does, and for a horizon that is not a step.
    """
    found = fit(curve, procedure=procedure, cutoff=cutoff, level=level, phase=phase, models=True)
    ahead = [forecast_of(found, T) for T in horizons or (HORIZON * max(found.last_step, 1.0),)]
    return Analysis(found, tuple(one for at in ahead for one in at), backtest_of(found))
