"""Everything that is said about one curve, in one document."""

import json

import numpy as np
import pytest

from zerosum.curves import LossCurve
from zerosum.deceleration import BNSL, analyse, backtest, compare_models, fit, forecast
from zerosum.errors import InputError


@pytest.fixture(scope="module")
def curve():
    step = np.arange(1.0, 20_001.0, 10)
    law = BNSL(b=18.0, c0=0.2, c1=-0.16, d1=1_500.0, f1=0.3)
    noise = 1 + 0.01 * np.random.default_rng(0).standard_normal(len(step))
    return LossCurve(step=step, loss=law.predict(step) * noise, name="run")


def test_an_analysis_is_the_fit_its_models_forecasts_and_backtest(curve):
    found = analyse(curve, horizons=(40_000, 100_000))
    assert found.fit.t_d == fit(curve).t_d
    assert found.fit.models == compare_models(curve)
    assert found.forecasts == (*forecast(curve, 40_000), *forecast(curve, 100_000))
    assert found.backtest == backtest(curve)


def test_its_document_is_strict_json_with_all_parts(curve):
    document = analyse(curve).to_json()
    json.dumps(document, allow_nan=False)
    assert {one["T"] for one in document["forecasts"]} == {2 * curve.step[-1]}
    assert {row["fraction"] for row in document["backtest"]} == {0.25, 0.5, 0.75}
    assert {"L_d", "t_d", "r_d", "verdict", "models", "cutoffs", "cleaning"} <= set(document)


def test_a_horizon_that_is_no_step_is_refused(curve):
    with pytest.raises(InputError, match="-5: not a step"):
        analyse(curve, horizons=(-5,))


@pytest.mark.parametrize("steps", [[1.0, 2.0, 3.0, 4.0, 5.0], [0.0]])
def test_a_curve_too_short_to_fit_is_analysed_all_the_same(steps):
    found = analyse(LossCurve(step=np.array(steps), loss=np.linspace(5.0, 4.0, len(steps)), name="few"))
    assert found.fit.verdict == "cannot-tell"
    json.dumps(found.to_json(), allow_nan=False)
