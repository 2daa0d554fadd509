"""Forecasts of the final loss, and what they would have said earlier in the run."""

import json

import numpy as np
import pytest
from simulated import LONG_RUN, SHORT_RUN, simulated_curve

from zerosum.curves import LossCurve, read_curve
from zerosum.deceleration import backtest, fit, forecast
from zerosum.deceleration._forecast import _one_break as one_break_forecast
from zerosum.deceleration.extrapolation import floor_of_last_decade
from zerosum.errors import InputError


def by_method(forecasts):
    return {one.method: one for one in forecasts}


def test_one_break_extrapolates_the_law():
    curve = simulated_curve(SHORT_RUN, 4_000, noise=0.01)
    found, ahead = fit(curve), by_method(forecast(curve, 40_000))["one-break"]
    assert ahead.loss == float(found.predict(40_000))
    assert ahead.loss == pytest.approx(float(SHORT_RUN.predict(40_000)), rel=0.03)
    assert ahead.interval[0] < ahead.loss < ahead.interval[1]


def test_intervals_hold_the_loss_that_comes():
    """40 runs with noise and smooth misfit, each three times as long as what was fitted."""
    held = []
    for seed in range(40):
        found = fit(simulated_curve(SHORT_RUN, 4_000, noise=0.015, misfit=0.003, seed=seed, rate=True), cutoff=20)
        ahead = one_break_forecast(found, 12_000.0)
        held.append(ahead.interval[0] <= float(SHORT_RUN.predict(12_000)) <= ahead.interval[1])
    assert np.mean(held) >= 0.88


def test_floor_is_found_where_it_is_the_truth():
    step = np.arange(1.0, 30_001)
    curve = LossCurve("floor", step, 2.0 + 30.0 * step**-0.5)
    ahead = by_method(forecast(curve, 1e6))
    truth = 2.0 + 30.0 * 1e6**-0.5
    assert ahead["floor-last-decade"].loss == pytest.approx(truth, rel=1e-4)
    # 2 + 30 t^-0.5 = 30 t^-0.5 (1 + (t/225)^0.5) is itself a one-break law, of width 2 and rate 0 after the break.
    assert ahead["one-break"].loss == pytest.approx(truth, rel=1e-3)
    assert ahead["stays"].loss == pytest.approx(2.0 + 30.0 * 30_000**-0.5, rel=0.01)


def test_last_decade_alone_decides():
    x = np.log(np.geomspace(10, 100_000, 160))
    y = np.log(2.0 + np.exp(3.0 - 0.5 * x))
    bent = y + 0.3 * np.maximum(np.log(5_000) - x, 0)
    at = float(np.log(1e6))
    assert floor_of_last_decade(x, bent, at)[0] == pytest.approx(floor_of_last_decade(x, y, at)[0], rel=1e-9)
    assert floor_of_last_decade(x[:5], y[:5], at) is None
    assert floor_of_last_decade(x[:0], y[:0], at) is None


def test_longer_ahead_is_less_sure():
    curve = simulated_curve(SHORT_RUN, 4_000, noise=0.015)
    widths = []
    for T in (5_000, 20_000, 100_000):
        low, high = by_method(forecast(curve, T))["one-break"].interval
        widths.append(high / low)
    assert widths == sorted(widths)


def test_backtest_is_the_forecast_of_the_part():
    curve = simulated_curve(LONG_RUN, 60_000, noise=0.015)
    rows = backtest(curve, [0.5])
    part = LossCurve("part", curve.step[:30_000], curve.loss[:30_000])
    whole = fit(curve)
    for row, alone in zip(rows, forecast(part, 60_000), strict=True):
        assert (row.forecast.method, row.forecast.loss) == (alone.method, pytest.approx(alone.loss))
        assert row.from_step == 30_000
        assert row.reached == whole.L_T
        assert row.error == pytest.approx(alone.loss / whole.L_T - 1)
    assert by_method(row.forecast for row in rows)["one-break"].loss == pytest.approx(whole.L_T, rel=0.01)


def test_backtest_of_a_run_with_a_cooldown_stays_in_the_stable_phase():
    curve = simulated_curve(SHORT_RUN, 10_000, noise=0.01)
    cooled = curve.loss * np.exp(-0.05 * np.clip((curve.step - 8_000) / 2_000, 0, 1))
    rows = backtest(LossCurve("cooled", curve.step, cooled), cutoff=30)
    assert {row.forecast.T for row in rows} == {fit(LossCurve("cooled", curve.step, cooled)).last_step}
    assert {row.fraction for row in rows} == {0.25, 0.5, 0.75}
    assert abs(next(row.error for row in rows if row.fraction == 0.75)) < 0.01


def test_what_cannot_be_forecast_says_why():
    few = LossCurve("few", np.arange(1.0, 30), np.full(29, 3.0))
    ahead = by_method(forecast(few, 100))
    assert np.isnan(ahead["one-break"].loss)
    assert "rows" in ahead["one-break"].reason
    earlier = by_method(forecast(simulated_curve(SHORT_RUN, 2_048, noise=0.01), 100))
    assert "before the last" in earlier["stays"].reason
    assert "before the last decade" in earlier["floor-last-decade"].reason
    documents = [one.to_json() for one in (*ahead.values(), *earlier.values(), *backtest(few))]
    for document in json.loads(json.dumps(documents, allow_nan=False)):
        for name in ("loss", "interval"):
            assert document[name] is not None or document[f"{name}_reason"]


def test_calls_that_make_no_sense_are_refused():
    curve = simulated_curve(SHORT_RUN, 500)
    with pytest.raises(InputError, match="T 0"):
        forecast(curve, 0)
    with pytest.raises(InputError, match="fraction 50"):
        backtest(curve, [50.0])


def test_published_curves_are_forecast_within_a_few_percent(reference_data):
    """From half of the run; the published note: an extrapolated one-break law is optimistic by about 2 %."""
    rows = backtest(read_curve(reference_data / "curves" / "paper" / "144M.csv"), [0.5])
    errors = {row.forecast.method: row.error for row in rows}
    assert -0.05 < errors["one-break"] < 0.01
    assert abs(errors["floor-last-decade"]) < 0.03
    assert errors["stays"] > 0


def test_a_forecast_past_the_end_of_a_finished_schedule_says_so():
    curve = simulated_curve(SHORT_RUN, 10_000, noise=0.01)
    cosine = LossCurve("cosine", curve.step, curve.loss, lr=0.55 + 0.45 * np.cos(np.pi * curve.step / 10_000))
    for one in forecast(cosine, 20_000, cutoff=20):
        assert "the schedule is over" in one.reason
    assert "schedule" in by_method(forecast(cosine, 20_000, cutoff=20))["one-break"].to_json()["reason"]
    for constant in (curve, LossCurve("constant", curve.step, curve.loss, lr=np.full(10_000, 3e-4))):
        assert not any("schedule" in one.reason for one in forecast(constant, 20_000, cutoff=20))
