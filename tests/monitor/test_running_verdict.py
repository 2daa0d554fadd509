"""The running verdict: that of `zerosum fit` on the whole log, in constant memory, with the error of its forecasts."""

import json

import numpy as np
import pytest
from tiny import loss_at

from zerosum.curves import LossCurve
from zerosum.deceleration import fit
from zerosum.monitor import names
from zerosum.monitor.running_verdict import FIRST_FIT, RunningVerdict

STEPS = 8192
LOSSES = [loss_at(step) for step in range(1, STEPS + 1)]


def after(last: int, verdict: RunningVerdict, first: int = 0) -> dict[int, dict[str, float]]:
    """Values logged at the powers of two up to `last` updates."""
    values = {}
    for step in range(first, last):
        verdict.bins.add(step + 1, LOSSES[step], 1e-3)
        if step + 1 >= FIRST_FIT and (step + 1) & step == 0:
            values[step + 1] = verdict.update(step + 1)
    return values


def test_it_is_that_of_the_whole_log() -> None:
    running = RunningVerdict(total_steps=16384)
    values = after(STEPS, running)
    whole = fit(LossCurve("whole", np.arange(1.0, STEPS + 1), np.array(LOSSES), lr=np.full(STEPS, 1e-3)))
    assert running.fitted is not None
    assert running.fitted.verdict == whole.verdict == "decelerates"
    assert values[STEPS][names.T_D] == pytest.approx(whole.t_d, rel=0.02)
    assert values[STEPS][names.L_D] == pytest.approx(whole.L_d, rel=0.002)
    assert values[STEPS][names.R_D] == pytest.approx(whole.r_d, rel=0.03)
    assert values[STEPS][names.L_END] == pytest.approx(loss_at(16384), rel=0.02)
    assert abs(values[STEPS][names.FORECAST_ERROR]) < 0.02
    assert len(running.bins.sums) <= 80 * np.log10(STEPS) + 1
    assert list(values) == [2**k for k in range(8, 14)]


def test_its_state_continues() -> None:
    whole, first, second = RunningVerdict(), RunningVerdict(), RunningVerdict()
    values = after(512, whole)
    after(300, first)
    second.load(json.loads(json.dumps(first.state())))
    assert after(512, second, first=300) == {512: values[512]}
    assert second.state() == whole.state()


def test_losses_that_no_curve_has_are_left_out() -> None:
    running = RunningVerdict()
    for loss in (float("nan"), float("inf"), 0.0, -1.0):
        running.bins.add(5, loss, None)
    assert running.update(FIRST_FIT) == {}
    assert np.isnan(running.bins.near(5))
