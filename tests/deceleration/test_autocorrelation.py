"""Autocorrelated residuals widen the intervals; independent ones do not."""

import numpy as np
import pytest
from scipy.signal import lfilter
from simulated import SHORT_RUN, simulated_curve

from zerosum.deceleration import fit
from zerosum.deceleration.autocorrelation import sign_autocorrelation, widening


def ar1(phi, n=20_000, seed=0):
    return lfilter([1.0], [1.0, -phi], np.random.default_rng(seed).normal(size=n))


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_signs_of_gaussian_noise_follow_the_arcsine_law(phi):
    """E[sign x sign y] = 2/pi arcsin(rho) for two normal values of correlation rho; that of AR(1) is phi^lag."""
    expected = np.mean([2 / np.pi * np.arcsin(phi**lag) for lag in range(1, 5)])
    assert sign_autocorrelation(ar1(phi)) == pytest.approx(expected, abs=0.02)


def test_scale_that_changes_along_the_curve_does_not_matter():
    e = ar1(0.5, n=500)
    assert sign_autocorrelation(e * np.geomspace(1, 1e-3, 500)) == sign_autocorrelation(e)


def test_widening_is_one_for_independent_and_alternating_residuals():
    bins = np.arange(400)
    assert widening(ar1(0.0, 400), bins) < 1.15
    assert widening(np.tile([1.0, -1.0], 150), np.arange(300)) == 1.0
    assert widening(np.zeros(0), np.zeros(0, dtype=np.int64)) == 1.0


def test_widening_grows_with_correlation_up_to_two():
    found = [widening(ar1(phi, 2_000), np.arange(2_000)) for phi in (0.1, 0.3, 0.5, 0.9)]
    assert found == sorted(found)
    assert widening(np.ones(50), np.arange(50)) == 2.0


def test_points_of_one_log_bin_count_once():
    e = ar1(0.0, 300)
    assert widening(np.repeat(e, 7), np.repeat(np.arange(300), 7)) == pytest.approx(widening(e, np.arange(300)))


def test_misfit_widens_intervals():
    found = fit(simulated_curve(SHORT_RUN, 2_048, noise=0.002, misfit=0.01))
    residual_free = fit(simulated_curve(SHORT_RUN, 2_048, noise=0.002))
    assert found.intervals["r_d"][1] - found.intervals["r_d"][0] > 2 * (
        residual_free.intervals["r_d"][1] - residual_free.intervals["r_d"][0]
    )
    assert "misfit" in found.interval_method
