"""The law with n breaks: its formula and derivatives, the best fit every time, and what is said about each break."""

import json
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares
from simulated import SHORT_RUN, simulated_curve

from zerosum.curves import LossCurve, read_curve
from zerosum.deceleration import fit, fit_breaks
from zerosum.deceleration.bnsl import hinge
from zerosum.deceleration.hinges import hinges_objective
from zerosum.deceleration.n_breaks import log_loss, solve_breaks
from zerosum.deceleration.points import binned_points
from zerosum.deceleration.varpro import LOG_F_MAX, LOG_F_MIN, problem_of, solve
from zerosum.errors import InputError

X = np.log(np.geomspace(20, 40_000, 100))
ONES = np.ones((1, 100))
TWO = np.array([3.0, 0.10, 0.25, -0.28, *np.log([150.0, 0.2, 4_000.0, 0.25])])
THREE = np.array([2.6, 0.1, 0.25, -0.2, 0.15, *np.log([100.0, 0.1, 900.0, 0.2, 8_000.0, 0.15])])


def curve_of(theta, noise, seed, last=40_000, every=1):
    step = np.arange(every, last + 1, every, dtype=float)
    y = log_loss(theta, np.log(step)) + noise * np.random.default_rng(seed).normal(size=len(step))
    return LossCurve(f"{(len(theta) - 2) // 3} breaks", step, np.exp(y))


@pytest.mark.parametrize("theta", [TWO, THREE])
def test_the_law_is_its_product_form(theta):
    K = (len(theta) - 2) // 3
    product = np.exp(theta[0] - theta[1] * X)
    for k in range(K):
        d, f = np.exp(theta[2 + K + 2 * k : 4 + K + 2 * k])
        product = product * (1 + (np.exp(X) / d) ** (1 / f)) ** (-theta[2 + k] * f)
    np.testing.assert_allclose(np.exp(log_loss(theta, X)), product)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4), st.integers(0, 10_000))
def test_gradient_and_hessian_are_those_of_the_objective(K, seed):
    rng = np.random.default_rng(seed)
    weights = (rng.uniform(size=(1, 100)) > 0.1) * 1.0
    p = problem_of(X, 3 - 0.1 * X + 0.05 * np.sin(2 * X) + 0.01 * rng.normal(size=100), weights)
    places = np.linspace(4, 9.5, K) + rng.uniform(-0.3, 0.3, K)
    theta = np.stack([places, rng.uniform(-2.5, -0.5, K)], axis=-1).reshape(1, -1)
    _, gradient, hessian = hinges_objective(p, theta)
    for k, away in enumerate(1e-5 * np.eye(2 * K)):
        up, down = hinges_objective(p, theta + away), hinges_objective(p, theta - away)
        scale = 1e-6 * (1 + np.abs(hessian).max())
        assert gradient[0, k] == pytest.approx((up[0] - down[0])[0] / 2e-5, abs=scale)
        np.testing.assert_allclose(hessian[0, k], (up[1] - down[1])[0] / 2e-5, atol=10 * scale)


@pytest.mark.parametrize("theta", [TWO, THREE])
def test_without_noise_the_truth_is_found_exactly(theta):
    found = solve_breaks(X, log_loss(theta, X), ONES, (len(theta) - 2) // 3)
    np.testing.assert_allclose(found.theta[0], theta, atol=1e-6)


def test_one_break_is_the_fit_with_one_break():
    curve = simulated_curve(SHORT_RUN, 2_048, noise=0.02)
    one, plain = fit_breaks(curve, 1), fit(curve)
    (only,) = one.breaks
    assert (only.t_d, only.L_d, only.r_d) == pytest.approx((plain.t_d, plain.L_d, plain.r_d), rel=1e-6)
    assert (one.rsle, one.n_bins, one.n_points) == (pytest.approx(plain.rsle), plain.n_bins, plain.n_points)
    for name, interval in plain.intervals.items():
        assert only.intervals[name] == pytest.approx(interval, rel=1e-5)
    np.testing.assert_allclose(one.predict(curve.step), plain.predict(curve.step), rtol=1e-6)


@pytest.mark.parametrize("seed", range(2))
def test_no_pair_of_a_fine_grid_beats_the_search(seed):
    """Every pair of 30 places and 4 widths, each by an ordinary least-squares solve."""
    x = X[::2]
    y = log_loss(TWO, x) + 0.02 * np.random.default_rng(seed).normal(size=50)
    cells = [(at, f) for at in np.linspace(x[2], x[-3], 30) for f in np.exp(np.linspace(LOG_F_MIN, 0.0, 4))]
    columns = np.stack([hinge(x, float(at), float(f)) for at, f in cells])
    best = np.inf
    for i, j in combinations(range(len(cells)), 2):
        A = np.stack([np.ones(50), x, columns[i], columns[j]], axis=1)
        normal = A.T @ A
        if np.linalg.cond(normal) < 1e10:
            best = min(best, y @ y - y @ A @ np.linalg.solve(normal, A.T @ y))
    assert solve_breaks(x, y, np.ones((1, 50)), 2).rss[0] <= best


@pytest.mark.parametrize(("theta", "noise"), [(TWO, 0.01), (THREE, 0.005)])
def test_no_random_start_beats_the_search(theta, noise):
    K = (len(theta) - 2) // 3
    y = log_loss(theta, X) + noise * np.random.default_rng(6).normal(size=100)
    ours = solve_breaks(X, y, ONES, K).rss[0]
    rng = np.random.default_rng(7)
    low = np.array([-np.inf] * (2 + K) + [X[2], LOG_F_MIN] * K)
    high = np.array([np.inf] * (2 + K) + [X[-3], LOG_F_MAX] * K)
    for _ in range(6):
        places = np.sort(rng.uniform(X[2], X[-3], K))
        start = [*rng.normal(scale=0.3, size=2 + K), *np.stack([places, rng.uniform(-3, 0, K)], -1).ravel()]
        end = least_squares(lambda p: log_loss(p, X) - y, start, bounds=(low, high), x_scale="jac", max_nfev=150)
        assert ours <= 2 * end.cost * (1 + 1e-7)


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.02]))
def test_a_break_more_never_fits_worse(seed, misfit):
    curve = simulated_curve(SHORT_RUN, 3_000, noise=0.01, misfit=misfit, seed=seed)
    points = binned_points(curve)
    rss = [float(solve_breaks(points.x, points.y, points.after(30)[None], n).rss[0]) for n in (1, 2, 3, 4)]
    assert rss == sorted(rss, reverse=True)


def test_weighting_zero_is_leaving_out_and_rows_do_not_mix():
    y = log_loss(TWO, X) + 0.01 * np.random.default_rng(1).normal(size=100)
    weights = np.stack([np.ones(100), np.arange(100) > 6, np.arange(100) < 90]) * 1.0
    together = solve_breaks(X, y, weights, 2)
    for row, weight in enumerate(weights):
        alone = solve_breaks(X[weight > 0], y[weight > 0], np.ones((1, int(weight.sum()))), 2)
        np.testing.assert_allclose(together.theta[row], alone.theta[0], rtol=1e-5)


@pytest.mark.parametrize(("theta", "noise"), [(TWO, 0.02), (THREE, 0.01)])
def test_simulated_breaks_are_recovered_and_their_number_preferred(theta, noise):
    K = (len(theta) - 2) // 3
    held, criteria = [], []
    for seed in range(3):
        curve = curve_of(theta, noise, seed, every=5)
        found = {n: fit_breaks(curve, n, cutoff=15) for n in (K - 1, K)}
        criteria.append(found[K].criterion < found[K - 1].criterion)
        rates = np.cumsum([theta[1], *theta[2 : 2 + K]])
        for k, one in enumerate(found[K].breaks):
            assert one.t_d == pytest.approx(np.exp(theta[2 + K + 2 * k]), rel=0.1)
            assert one.r_before == pytest.approx(rates[k], abs=0.02)
            assert one.r_d == pytest.approx(rates[k + 1], abs=0.02)
            crossing = log_loss(theta, np.log([one.t_d]))[0] + theta[2 + k] * one.f * np.log(2)
            assert np.log(one.L_d) == pytest.approx(crossing, abs=0.02)
            if one.intervals["t_d"]:
                held.append(one.intervals["t_d"][0] <= np.exp(theta[2 + K + 2 * k]) <= one.intervals["t_d"][1])
    assert all(criteria)
    assert len(held) >= 2 * K
    assert np.mean(held) >= 0.8


def test_the_document_is_strict_json_with_a_reason_beside_each_null():
    overlapping = fit_breaks(simulated_curve(SHORT_RUN, 2_048, noise=0.02), 3)
    few = fit_breaks(LossCurve("few", np.arange(1.0, 9), np.full(8, 3.0)), 2)
    none = fit_breaks(LossCurve("none", np.arange(1.0, 9), np.full(8, 3.0)), 1, cutoff=100)
    for found in (overlapping, few, none):
        document = json.loads(json.dumps(found.to_json(), allow_nan=False))
        assert document["n_params"] == 2 + 3 * len(found.breaks)
        for one in document["breaks"]:
            assert {"t_d", "L_d", "r_before", "r_d", "f", "intervals"} <= one.keys()
            for name in ("t_d", "L_d", "r_d"):
                assert one["intervals"][name] or one["intervals"][f"{name}_reason"]
    assert few.breaks[0].interval_reasons["t_d"].startswith("too few")
    assert few.to_json()["rsle_reason"].startswith("too few")


def test_bends_that_overlap_have_no_intervals():
    theta = np.array([3.0, 0.1, 0.4, -0.4, *np.log([800.0, 0.4, 1_300.0, 0.4])])
    found = fit_breaks(curve_of(theta, 0.002, 0, every=10), 2)
    reasons = [reason for one in found.breaks for reason in one.interval_reasons.values()]
    assert len(reasons) == 6
    assert all("runs into" in reason for reason in reasons)


def test_numbers_of_breaks_that_make_no_sense_are_refused():
    for n in (0, 6, -1):
        with pytest.raises(InputError, match=f"n {n}: not a number of breaks"):
            fit_breaks(simulated_curve(SHORT_RUN, 100), n)


def test_lines_and_constants_are_fitted():
    x = np.linspace(0, 8, 40)
    for y in (np.zeros(40), -0.1 * x):
        found = solve_breaks(x, y, np.ones((1, 40)), 3)
        assert found.rss[0] == pytest.approx(0, abs=1e-18)
        assert solve(x, y, np.ones((1, 40))).rss[0] == pytest.approx(0, abs=1e-18)


def test_published_curves_bend_more_than_once(reference_data):
    for name in ("14M", "OLMo-7B"):
        curve = read_curve(reference_data / "curves" / "paper" / f"{name}.csv")
        one, two = fit_breaks(curve, 1), fit_breaks(curve, 2)
        assert two.rsle < 0.5 * one.rsle
