"""The model of residuals, against brute force: noise of bins, REML, intervals, and the bound that none can beat."""

import itertools

import numpy as np
import pytest
from scipy.linalg import toeplitz
from scipy.signal import lfilter
from scipy.stats import norm
from simulated import SHORT_RUN, simulated_curve

from zerosum.curves import LossCurve
from zerosum.curves.grid import on_grid
from zerosum.deceleration import fit
from zerosum.deceleration.bin_noise import noise_of_smoothed_bins, noises_of_published_grid, published_windows
from zerosum.deceleration.fit_errors import FitErrors, one_break_design
from zerosum.deceleration.residual_model import (
    LEAST_NOISE,
    LENGTHS,
    OF_RESIDUAL,
    RANGE,
    SIZES,
    Spread,
    log_likelihood,
    misfit_hypotheses,
    residual_model,
    whitened_products,
)
from zerosum.deceleration.row_noise import bin_correlation, row_noise, window_correlation
from zerosum.deceleration.smoothing import log_moving_average
from zerosum.deceleration.weighting import balanced_weights

RNG = np.random.default_rng(0)
X = np.linspace(3.0, 8.0, 60)
DESIGN = one_break_design(X, 0.25, 0.08, 5.5, np.log(0.3))


def means_matrix(windows, rows):
    """Each row takes the mean of a window."""
    return np.array([[(first <= k < end) / (end - first) for k in range(rows)] for first, end in windows])


@pytest.mark.parametrize("phi", [0.0, 0.3, 0.9, 0.98])
def test_covariance_of_bins_is_that_of_every_pair_of_rows(phi):
    edges = np.array([0, 1, 2, 4, 9, 30, 55, 120])
    average = means_matrix(np.column_stack([edges[:-1], edges[1:]]), 120)
    expected = average @ toeplitz(phi ** np.arange(120.0)) @ average.T
    np.testing.assert_allclose(bin_correlation(edges, phi), expected, rtol=1e-9, atol=1e-12)


def test_covariance_of_overlapping_windows_and_of_bins_of_them():
    windows = published_windows(np.arange(10, 60))
    average = means_matrix(windows, 60)
    np.testing.assert_allclose(window_correlation(windows), average @ average.T, rtol=1e-12, atol=1e-15)
    starts, sd = np.array([0, 3, 20]), np.linspace(1, 2, 50)
    bins = means_matrix([(0, 3), (3, 20), (20, 50)], 50)
    expected = bins @ (sd[:, None] * (average @ average.T) * sd) @ bins.T
    np.testing.assert_allclose(noise_of_smoothed_bins(average @ average.T, sd, starts), expected, rtol=1e-12)


@pytest.mark.parametrize(("phi", "growth"), [(0.0, 0.0), (0.0, 0.3), (0.9, 0.0), (0.6, -0.2)])
def test_noise_of_rows_is_read_off_a_curve_with_misfit(phi, growth):
    x = np.log(np.arange(1.0, 8_001))
    noise = lfilter([np.sqrt(1 - phi**2)], [1, -phi], RNG.normal(size=8_000)) * 0.02 * np.exp(growth * (x - x[-1]))
    found = row_noise(x, SHORT_RUN.log_loss(np.exp(x)) + 0.01 * np.sin(2 * x) + noise)
    assert found.phi == pytest.approx(phi, abs=0.06)
    assert found.growth == pytest.approx(growth, abs=0.06)
    assert float(found.sd(x[-1:])[0]) == pytest.approx(0.02, rel=0.1)


def test_noise_of_a_smoothed_log_is_recognised_and_that_of_a_raw_log_on_the_grid_is_not():
    step = np.arange(1.0, 30_001)
    kept, e = on_grid(step), 0.02 * RNG.normal(size=30_000)
    law, starts = SHORT_RUN.log_loss(step), np.arange(0, int(kept.sum()), 3)
    raw = noises_of_published_grid(step[kept], (law + e)[kept], starts)
    assert len(raw) == 1
    smooth = (log_moving_average(e + 1) - 1)[kept]
    _, found = noises_of_published_grid(step[kept], law[kept] + smooth, starts)
    expected = noise_of_smoothed_bins(
        window_correlation(published_windows(step[kept].astype(int))), np.full(kept.sum(), 0.02), starts
    )
    late = slice(50, None)
    np.testing.assert_allclose(np.diag(found)[late], np.diag(expected)[late], rtol=0.4)


def dense(misfit, noise, hypothesis):
    modes = misfit.modes
    return noise + LEAST_NOISE**2 * np.eye(len(X)) + modes * misfit.power[hypothesis] @ modes.T


@pytest.mark.parametrize("restricted", [True, False])
def test_likelihood_is_that_of_dense_generalised_least_squares(restricted):
    noise = 0.01**2 * toeplitz(0.4 ** np.arange(60.0))
    residual = 0.02 * RNG.normal(size=60)
    misfit = misfit_hypotheses(X, np.full(60, 0.02))
    found = log_likelihood(
        *whitened_products(misfit, noise, np.column_stack([DESIGN, residual])), restricted=restricted
    )
    expected = []
    for hypothesis in range(len(misfit.power)):
        inverse = np.linalg.inv(S := dense(misfit, noise, hypothesis))
        moments = DESIGN.T @ inverse @ DESIGN
        left = residual - DESIGN @ np.linalg.solve(moments, DESIGN.T @ inverse @ residual)
        spent = np.linalg.slogdet(moments)[1] if restricted else 0.0
        expected.append(-(np.linalg.slogdet(S)[1] + spent + left @ inverse @ left) / 2)
    np.testing.assert_allclose(found - found[0], np.array(expected) - expected[0], rtol=1e-5, atol=1e-5)


def test_modes_give_the_covariance_of_the_process():
    misfit = misfit_hypotheses(X, np.full(60, 0.02))
    largest, modes = OF_RESIDUAL * 0.02, misfit.modes
    sizes = np.geomspace(largest / RANGE, largest, SIZES)
    for hypothesis, (size, length) in enumerate(itertools.product(sizes, LENGTHS), 1):
        kernel = size**2 * np.exp(-((X[:, None] - X) ** 2) / (2 * length**2))
        np.testing.assert_allclose(modes * misfit.power[hypothesis] @ modes.T, kernel, atol=0.06 * size**2)


def test_errors_of_an_estimate_have_the_covariance_of_the_residuals_they_come_from():
    noise = 0.01**2 * toeplitz(0.4 ** np.arange(60.0))
    errors = FitErrors(X, 0.02 * RNG.normal(size=60), DESIGN, np.linspace(1, 2, 60), (noise,))
    weighted = DESIGN.T * errors.weight
    estimator = np.linalg.solve(weighted @ DESIGN, weighted)
    np.testing.assert_allclose(errors.estimator, estimator, rtol=1e-6)
    spread = errors.spread(np.eye(5))
    for hypothesis in (0, 7, 40):
        S = dense(errors.model.misfit, noise, hypothesis) - LEAST_NOISE**2 * np.eye(60)
        np.testing.assert_allclose(spread.variance[:, hypothesis], np.diag(estimator @ S @ estimator.T), rtol=1e-6)


def test_half_widths_are_quantiles_of_the_mixture():
    spread = Spread(np.array([0.7, 0.3]), np.array([[1.0, 9.0], [4.0, 4.0]]))
    half = spread.half_widths(0.9)
    assert half[1] == pytest.approx(2 * norm.ppf(0.95), rel=1e-4)
    assert 0.7 * norm.cdf(half[0]) + 0.3 * norm.cdf(half[0] / 3) == pytest.approx(0.95, abs=1e-5)
    draws = spread.plus(spread)
    assert draws.weight.sum() == pytest.approx(1.0)
    assert draws.variance[0].tolist() == [2.0, 10.0, 10.0, 18.0]


def test_weights_are_those_of_the_noise_where_nothing_else_is_seen():
    noise = np.geomspace(1e-4, 1e-8, 60)
    white = np.sqrt(noise) * RNG.normal(size=60)
    wandering = white + 0.01 * np.sin(7 * X)
    assert np.corrcoef(balanced_weights(white, DESIGN, noise), 1 / noise)[0, 1] > 0.9
    assert np.ptp(balanced_weights(wandering, DESIGN, noise)[20:]) < 0.2


def test_white_noise_gives_intervals_near_the_bound_and_misfit_wider_ones():
    """Cramer-Rao: no unbiased estimate from these rows varies less. 20 curves of 20,000 rows."""
    step = np.arange(1.0, 20_001)
    x = np.log(step[step > 100])
    design = one_break_design(x, SHORT_RUN.r_before, SHORT_RUN.r_d, np.log(SHORT_RUN.t_d * 8), np.log(0.3)) / 0.015
    bound = 1.96 * np.sqrt(np.linalg.inv(design.T @ design)[3, 3])
    law = type(SHORT_RUN).from_rates(1.0, SHORT_RUN.r_before, SHORT_RUN.r_d, np.log(SHORT_RUN.t_d * 8), np.log(0.3))
    halves, errors = [], []
    for seed in range(20):
        noise = 0.015 * np.random.default_rng(seed).normal(size=20_000)
        found = fit(LossCurve("white", step, np.exp(law.log_loss(step) + noise)))
        halves.append(np.log(np.divide(*found.intervals["t_d"][::-1])) / 2)
        errors.append(np.log(found.t_d / law.t_d))
    assert 0.95 * bound < np.median(halves) < 3 * bound
    assert np.sqrt(np.mean(np.square(errors))) < 1.5 * bound / 1.96
    wandering = fit(simulated_curve(law, 20_000, noise=0.015, misfit=0.01))
    assert np.log(np.divide(*wandering.intervals["t_d"][::-1])) / 2 > 2 * np.median(halves)


def test_a_model_of_no_residuals_at_all_is_that_of_rounding():
    model = residual_model(misfit_hypotheses(X, np.zeros(60)), np.zeros(60), DESIGN, (np.zeros((60, 60)),))
    assert model.weight[0, 0] == pytest.approx(1.0, abs=1e-6)
