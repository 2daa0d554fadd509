"""The least-squares search: exact derivatives, and the global optimum every time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares
from simulated import LONG_RUN, SHORT_RUN, simulated_curve

from zerosum.deceleration import BNSL
from zerosum.deceleration.bnsl import hinge
from zerosum.deceleration.points import binned_points
from zerosum.deceleration.reduced import Problem, freed_of, reduced_objective
from zerosum.deceleration.varpro import LOG_F_MAX, LOG_F_MIN, solve


def brute_force(x, y, places=300, widths=60):
    """Lowest residual sum of squares on a fine grid, each cell by an ordinary least-squares solve."""
    best = np.inf
    for at in np.linspace(x[2], x[-3], places):
        for width in np.exp(np.linspace(LOG_F_MIN, LOG_F_MAX, widths)):
            A = np.stack([np.ones_like(x), x, hinge(x, float(at), float(width))], axis=1)
            coefficients = np.linalg.lstsq(A, y, rcond=None)[0]
            best = min(best, ((y - A @ coefficients) ** 2).sum())
    return best


@pytest.mark.parametrize(
    ("law", "last_step", "cutoff", "misfit", "seed"),
    [
        (SHORT_RUN, 2_048, 20, 0.05, 1),
        pytest.param(SHORT_RUN, 2_048, 20, 0.02, 0, marks=pytest.mark.long),
        pytest.param(LONG_RUN, 60_000, 100, 0.03, 2, marks=pytest.mark.long),
    ],
)
def test_no_grid_point_beats_the_search(law, last_step, cutoff, misfit, seed):
    curve = simulated_curve(law, last_step, noise=0.02, misfit=misfit, seed=seed)
    points = binned_points(curve)
    kept = points.after(cutoff) > 0
    x, y = points.x[kept], points.y[kept]
    found = solve(x, y, np.ones((1, len(x))))
    assert found.rss[0] <= brute_force(x, y) * (1 + 1e-9)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 0.06))
def test_no_scipy_start_beats_the_search(seed, misfit):
    curve = simulated_curve(SHORT_RUN, 1_500, noise=0.02, misfit=misfit, seed=seed)
    points = binned_points(curve)
    x, y = points.x, points.y
    found = solve(x, y, np.ones((1, len(x))))

    def residual(p):
        return p[0] - p[1] * (x - p[3]) - (p[2] - p[1]) * hinge(x, p[3], np.exp(p[4])) - y

    low = [-np.inf, -np.inf, -np.inf, x[2], LOG_F_MIN]
    high = [np.inf, np.inf, np.inf, x[-3], LOG_F_MAX]
    for at in np.linspace(x[4], x[-5], 5):
        end = least_squares(residual, [1.0, 0.2, 0.1, at, np.log(0.3)], bounds=(low, high), x_scale="jac")
        assert found.rss[0] <= 2 * end.cost * (1 + 1e-7)


@given(st.floats(0, 1), st.floats(LOG_F_MIN, LOG_F_MAX), st.integers(0, 100))
def test_gradient_and_hessian_are_those_of_the_objective(place, log_f, seed):
    """Inside the bounds of a search; outside of all points a hinge is a line, and differences are rounding."""
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(2, 7, 60))
    sw = rng.uniform(0.2, 1.0, 60)[None]
    Q = np.linalg.qr(np.stack([sw[0], sw[0] * x], axis=1))[0][None]
    y = freed_of(Q, sw * np.abs(x - 4)[None])
    problem = Problem(x, sw, Q, y, np.array([[2.0, -9.0]]), np.array([[7.0, 9.0]]))
    point, h = np.array([[x[2] + place * (x[-3] - x[2]), log_f]]), 1e-5
    _, gradient, hessian = reduced_objective(problem, point)
    for k in range(2):
        away = h * np.eye(2)[k][None]
        up, down = reduced_objective(problem, point + away), reduced_objective(problem, point - away)
        scale = 1 + np.abs(hessian).max()
        assert gradient[0, k] == pytest.approx((up[0] - down[0])[0] / (2 * h), abs=1e-6 * scale)
        np.testing.assert_allclose(hessian[0, k], (up[1] - down[1])[0] / (2 * h), atol=1e-5 * scale)


@settings(max_examples=40, deadline=None)
@given(t_d=st.floats(60, 500), r_before=st.floats(0.15, 0.5), ratio=st.floats(0.1, 0.7), log_f=st.floats(-2, -0.3))
def test_known_parameters_are_recovered_exactly_without_noise(t_d, r_before, ratio, log_f):
    law = BNSL.from_rates(np.log(3.0), r_before, r_before * ratio, np.log(t_d), log_f)
    x = np.log(np.geomspace(10, 5_000, 120))
    found = solve(x, law.log_loss(np.exp(x)), np.ones((1, 120)))
    assert found.log_t_d[0] == pytest.approx(np.log(t_d), abs=1e-5)
    assert found.r_before[0] == pytest.approx(r_before, abs=1e-5)
    assert found.r_d[0] == pytest.approx(r_before * ratio, abs=1e-5)
    assert found.log_L_d[0] == pytest.approx(np.log(3.0), abs=1e-5)
    assert found.log_f[0] == pytest.approx(log_f, abs=1e-3)


def test_weighting_zero_is_leaving_out():
    points = binned_points(simulated_curve(SHORT_RUN, 2_048, noise=0.02))
    weight = points.after(20)
    whole = solve(points.x, points.y, weight[None])
    part = solve(points.x[weight > 0], points.y[weight > 0], np.ones((1, int(weight.sum()))))
    for name, value in vars(whole).items():
        np.testing.assert_allclose(value, vars(part)[name], rtol=1e-6, err_msg=name)


def test_many_weightings_at_once_are_each_the_same_as_alone():
    points = binned_points(simulated_curve(SHORT_RUN, 2_048, noise=0.02))
    weights = np.stack([points.after(cutoff) for cutoff in (10, 20, 40, 80)])
    together = solve(points.x, points.y, weights)
    for k, weight in enumerate(weights):
        alone = solve(points.x, points.y, weight[None])
        assert alone.log_t_d[0] == pytest.approx(together.log_t_d[k], abs=1e-6)
        assert alone.rss[0] == pytest.approx(together.rss[k], rel=1e-9)


def test_reported_residual_is_that_of_the_reported_law():
    points = binned_points(simulated_curve(SHORT_RUN, 2_048, noise=0.02))
    found = solve(points.x, points.y, np.ones((1, len(points.x))))
    residual = points.y - found.law(0).log_loss(np.exp(points.x))
    assert (residual**2).sum() == pytest.approx(found.rss[0], rel=1e-9)


def test_too_few_points_give_no_numbers():
    found = solve(np.arange(6.0), np.arange(6.0), np.ones((1, 6)))
    assert np.isnan([found.log_t_d[0], found.rss[0]]).all()


def test_steps_repeated_do_not_count_as_points():
    x = np.repeat([1.0, 2.0, 3.0], 20)
    assert np.isnan(solve(x, -x, np.ones((1, 60))).rss[0])


@pytest.mark.parametrize("y", [np.zeros(30), -np.arange(30.0)], ids=["constant", "line"])
def test_curves_without_a_bend_are_fitted_without_one(y):
    x = np.linspace(0, 8, 30)
    found = solve(x, y, np.ones((1, 30)))
    assert found.rss[0] == pytest.approx(0, abs=1e-20)
    assert np.isfinite(found.log_t_d[0])
