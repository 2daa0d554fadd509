"""Procedure "paper" against the published numbers, and against lmfit."""

import json

import lmfit
import numpy as np
import pytest
from simulated import LONG_RUN, SHORT_RUN, simulated_curve

from zerosum.curves import read_curve
from zerosum.deceleration import fit
from zerosum.deceleration.points import thinned_points

MODELS = ("14M", "37M", "78M", "144M", "285M", "472M", "OLMo-1B", "OLMo-7B")
NAMES = {"b": "b", "c0": "c0", "c1": "c1", "d1log": "log_d1", "f1": "f1"}
DIGITS = 1e-5  # relative: five significant digits


@pytest.fixture(params=MODELS)
def model(request, reference_data):
    folder = reference_data / "curves" / "paper"
    published = json.loads((folder / "published_fits.json").read_text())["fits"][request.param]
    return fit(read_curve(folder / f"{request.param}.csv"), procedure="paper"), published


def test_parameters_and_their_errors(model):
    found, published = model
    values = vars(found.params) | {"log_d1": np.log(found.params.d1)}
    for theirs, ours in NAMES.items():
        assert values[ours] == pytest.approx(published["params"][theirs]["value"], rel=DIGITS)
        assert found.errors[ours] == pytest.approx(published["params"][theirs]["err"], rel=DIGITS)


def test_numbers_read_off_the_law(model):
    found, published = model
    assert found.t_d == published["t_d"]
    one_error_around = np.floor(found.params.d1 * np.exp([-found.errors["log_d1"], found.errors["log_d1"]]))
    assert one_error_around.tolist() == [published["d1_min"], published["d1_max"]]
    assert found.n_points == found.n_bins == published["n_fit"]
    assert found.last_step == published["T"]
    for name, theirs in (("L_d", "L_d"), ("r_d", "r_d"), ("L_T_hat", "L_T_hat"), ("L_T", "L_T"), ("rsle", "RSLE")):
        assert getattr(found, name) == pytest.approx(published[theirs], rel=DIGITS), name


def test_they_decelerate(model):
    found, _ = model
    assert found.verdict == "decelerates"
    assert "already-smoothed" in [reason.code for reason in found.reasons]


def lmfit_optimum(x, y, start):
    def residual(p):
        bend = p["f1"] * np.logaddexp(0, (x - p["log_d1"]) / p["f1"])
        return np.log(p["b"]) - p["c0"] * x - p["c1"] * bend - y

    parameters = lmfit.Parameters()
    for name, value in start.items():
        parameters.add(name, value=value, min=1e-3 if name in ("b", "f1") else -np.inf)
    return lmfit.minimize(residual, parameters, xtol=1e-14, ftol=1e-14, gtol=1e-14)


@pytest.mark.parametrize(("law", "last_step", "cutoff"), [(LONG_RUN, 120_000, 100), (SHORT_RUN, 4_096, 30)])
def test_lmfit_finds_the_same_optimum_and_errors(law, last_step, cutoff):
    """The second run is over before the published start, step 6,000: only the global search gets there."""
    curve = simulated_curve(law, last_step, noise=0.02, misfit=0.01)
    found = fit(curve, procedure="paper", cutoff=cutoff)
    points = thinned_points(curve)
    kept = points.after(cutoff) > 0
    start = {"b": law.b, "c0": law.c0, "c1": law.c1, "log_d1": np.log(law.d1), "f1": law.f1}
    oracle = lmfit_optimum(points.x[kept], points.y[kept], start)
    values = vars(found.params) | {"log_d1": np.log(found.params.d1)}
    for name in start:
        assert values[name] == pytest.approx(oracle.params[name].value, rel=2e-3), name
        assert found.errors[name] == pytest.approx(oracle.params[name].stderr, rel=2e-2), name
    assert found.rsle == pytest.approx(np.sqrt(np.mean(oracle.residual**2)), rel=1e-6)


def test_says_when_the_published_start_fails():
    found = fit(simulated_curve(SHORT_RUN, 4_096, noise=0.02), procedure="paper", cutoff=30)
    assert "published-start-fails" in [reason.code for reason in found.reasons]


def test_cut_off_is_100_steps_unless_given():
    curve = simulated_curve(LONG_RUN, 20_000)
    assert fit(curve, procedure="paper").first_step == 110
    assert fit(curve, procedure="paper", cutoff=50).first_step == 51
