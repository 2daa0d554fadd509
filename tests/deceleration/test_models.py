"""Other laws than the one break: each found where it is the truth, none beaten by lmfit or a grid."""

import json

import lmfit
import numpy as np
import pytest
from simulated import POWER_LAW, SHORT_RUN, simulated_curve

from zerosum.curves import LossCurve, read_curve
from zerosum.deceleration import compare_models, fit
from zerosum.deceleration.floor_derivatives import BROKEN_FLOOR, POWER_LAW_FLOOR, broken_law, power_law, squares
from zerosum.deceleration.floors import (
    broken_above_floor,
    broken_above_floor_design,
    broken_bounds,
    power_law_bounds,
    shifted_power_law,
    shifted_power_law_design,
)
from zerosum.deceleration.models import MODELS, compare_points, left_out_error

X = np.log(np.geomspace(20, 20_000, 64))
BLOCK = np.arange(64) * 8 // 64
LAWS = {law.name: law for law in MODELS}
TRUTHS = {
    "power law": np.array([2.5, 0.2]),
    "power law with floor": np.array([2.3, 0.4, np.log(2.0)]),
    "shifted power law with floor": np.array([3.0, 0.5, np.log(2.2), np.log(300.0)]),
    "one break": np.array([np.log(3.0), 0.25, 0.08, np.log(600.0), np.log(0.3)]),
    "one break with floor": np.array([np.log(2.0), 0.5, 0.2, np.log(500.0), np.log(0.2), np.log(1.5)]),
    "two breaks": np.array([2.4, 0.1, 0.25, -0.3, np.log(100.0), np.log(0.1), np.log(1_500.0), np.log(0.2)]),
    "three breaks": np.array([2.6, 0.1, 0.25, -0.2, 0.1, *np.log([100.0, 0.1, 900.0, 0.2, 6_000.0, 0.15])]),
}
BOUNDS = {
    "power law with floor": lambda y: power_law_bounds(X, y, shifted=False),
    "shifted power law with floor": lambda y: power_law_bounds(X, y, shifted=True),
    "one break with floor": lambda y: broken_bounds(X, y),
}


def optimum(law, x, y):
    return law.fit(x, y, np.ones((1, len(x))))[0]


@pytest.mark.parametrize("name", TRUTHS)
def test_each_law_is_found_where_it_is_the_truth(name):
    y = LAWS[name].log_loss(TRUTHS[name], X)
    found = optimum(LAWS[name], X, y)
    assert np.sqrt(np.mean((LAWS[name].log_loss(found, X) - y) ** 2)) < 1e-5
    np.testing.assert_allclose(found, TRUTHS[name], rtol=0.03, atol=0.03)


@pytest.mark.parametrize("name", ["one break", "one break with floor", "two breaks", "three breaks"])
def test_the_truth_is_never_clearly_beaten_on_left_out_stretches(name):
    y = LAWS[name].log_loss(TRUTHS[name], X) + 0.005 * np.random.default_rng(3).normal(size=64)
    rows = {row.name: row for row in compare_points(X, y, BLOCK)}
    best = min(rows.values(), key=lambda row: row.criterion)
    assert rows[name].criterion <= 1.1 * best.criterion
    assert [rows[law.name].n_params for law in MODELS] == [2, 3, 4, 5, 6, 8, 11]


@pytest.mark.parametrize("name", BOUNDS)
def test_lmfit_started_at_the_truth_finds_nothing_better(name):
    law, truth = LAWS[name], TRUTHS[name]
    y = law.log_loss(truth, X) + 0.01 * np.random.default_rng(5).normal(size=64)
    low, high = BOUNDS[name](y)
    parameters = lmfit.Parameters()
    for key, value, least, most in zip(law.parameters, truth, low, high, strict=True):
        parameters.add(key, value=value, min=least, max=most)
    end = lmfit.minimize(lambda p: law.log_loss(np.array(list(p.valuesdict().values())), X) - y, parameters)
    ours = ((law.log_loss(optimum(law, X, y), X) - y) ** 2).sum()
    assert ours <= (end.residual**2).sum() * (1 + 1e-6)


def test_laws_are_their_product_forms():
    t = np.exp(X)
    a, alpha, log_E, log_t0 = TRUTHS["shifted power law with floor"]
    shifted = np.exp(log_E) + np.exp(a) * (t + np.exp(log_t0)) ** -alpha
    np.testing.assert_allclose(np.exp(shifted_power_law(np.array([a, alpha, log_E, log_t0]), X)), shifted)
    theta = TRUTHS["one break with floor"]
    np.testing.assert_allclose(
        np.exp(broken_above_floor(theta, X)), np.exp(theta[5]) + np.exp(LAWS["one break"].log_loss(theta[:5], X))
    )


@pytest.mark.parametrize("name", ["power law with floor", "shifted power law with floor", "one break with floor"])
def test_derivatives_of_laws_with_a_floor_are_those_of_differences(name):
    law, theta = LAWS[name], np.array(TRUTHS[name])
    design = broken_above_floor_design if "break" in name else shifted_power_law_design
    found = design(theta, X)
    for column, step in enumerate(1e-6 * np.eye(len(theta))):
        differences = (law.log_loss(theta + step, X) - law.log_loss(theta - step, X)) / 2e-6
        np.testing.assert_allclose(found[:, column], differences, rtol=1e-6, atol=1e-9)
    with np.errstate(all="raise", under="ignore"):
        assert np.isfinite(design(theta * 40, X)).all()


@pytest.mark.parametrize("name", ["power law with floor", "shifted power law with floor", "one break with floor"])
def test_gradient_and_hessian_of_the_squares_are_those_of_differences(name):
    line, floor = (broken_law, BROKEN_FLOOR) if "break" in name else (power_law, POWER_LAW_FLOOR)
    rng = np.random.default_rng(3)
    y = LAWS[name].log_loss(TRUTHS[name], X) + 0.2 * rng.normal(size=64)
    theta = np.array(TRUTHS[name]) * rng.uniform(0.9, 1.1, len(TRUTHS[name]))
    theta[floor] = 0.7  # as a share of the lowest loss
    weight = (rng.random((1, 64)) < 0.8) * 1.0

    def of(theta):
        return squares(line(theta[None], X), theta[None], floor, float(y.min()), y, weight)

    _, gradient, hessian = of(theta)
    for k, step in enumerate(1e-5 * np.eye(len(theta))):
        more, less = of(theta + step), of(theta - step)
        assert (more[0] - less[0]) / 2e-5 == pytest.approx(gradient[:, k], rel=1e-5, abs=1e-7)
        np.testing.assert_allclose((more[1] - less[1])[0] / 2e-5, hessian[0, k], rtol=1e-5, atol=1e-6)


def test_left_out_error_of_the_power_law_is_that_of_explicit_refits():
    y = 2.0 - 0.1 * X + 0.01 * np.random.default_rng(8).normal(size=64)
    squares = 0.0
    for k in range(8):
        line = np.polynomial.Polynomial.fit(X[k != BLOCK], y[k != BLOCK], 1)
        squares += ((line(X[k == BLOCK]) - y[k == BLOCK]) ** 2).sum()
    law = LAWS["power law"]
    refits = law.fit(X, y, (np.arange(8)[:, None] != BLOCK) * 1.0)
    assert left_out_error(law.log_loss, list(refits), X, y, BLOCK) == pytest.approx(np.sqrt(squares / 64))


def test_a_floor_is_noted_and_does_not_change_the_fit():
    step = np.arange(1.0, 20_001)
    loss = (2.0 + np.exp(3.5) * step**-0.6) * np.exp(0.005 * np.random.default_rng(9).normal(size=20_000))
    curve = LossCurve("floor", step, loss)
    plain, beside = fit(curve), fit(curve, models=True)
    note = next(reason for reason in beside.reasons if reason.code == "another-model-preferred")
    assert note.level == "note"
    assert "floor" in note.message
    assert (plain.t_d, plain.verdict, plain.models) == (beside.t_d, beside.verdict, ())
    document = json.loads(json.dumps(beside.to_json(), allow_nan=False))
    assert [model["name"] for model in document["models"]] == list(LAWS)
    assert {"name", "n_params", "rsle", "criterion", "params"} == set(document["models"][0])


@pytest.mark.parametrize("law", [SHORT_RUN, POWER_LAW], ids=["one break", "power law"])
def test_no_law_that_is_not_the_truth_is_preferred(law):
    """Where there is no break a power law may be preferred to one, with or without a floor that does nothing."""
    found = fit(simulated_curve(law, 2_048, noise=0.015), cutoff=20, models=True)
    notes = [reason.message for reason in found.reasons if reason.code == "another-model-preferred"]
    assert law is POWER_LAW or not notes
    assert all("power law" in note.split("(")[0] for note in notes)
    broken = next(row for row in found.models if row.name == "one break")
    assert broken.rsle == pytest.approx(found.rsle)


def test_too_few_points_give_rows_with_a_reason():
    rows = compare_models(LossCurve("few", np.arange(1.0, 8), np.full(7, 3.0)))
    document = json.loads(json.dumps([row.to_json() for row in rows], allow_nan=False))
    assert all(row["criterion"] is None and "too few" in row["criterion_reason"] for row in document)


@pytest.mark.parametrize("name", ["144M", "OLMo-7B"])
def test_a_floor_beats_one_break_on_published_curves(reference_data, name):
    found = fit(read_curve(reference_data / "curves" / "paper" / f"{name}.csv"), models=True)
    assert found.verdict == "decelerates"
    assert "floor" in next(reason.message for reason in found.reasons if reason.code == "another-model-preferred")
