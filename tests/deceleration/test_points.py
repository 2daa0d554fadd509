"""Binning, smoothing, thinning: which points a fit sees."""

import numpy as np
import pytest
from simulated import SHORT_RUN, simulated_curve

from zerosum.curves import LossCurve
from zerosum.curves.grid import already_thinned
from zerosum.deceleration.binning import BINS_PER_DECADE, bin_index
from zerosum.deceleration.points import binned_points, thinned_points
from zerosum.deceleration.smoothing import log_moving_average, smooth_and_thin


def test_moving_average_is_the_mean_of_its_window():
    loss = np.random.default_rng(0).uniform(2, 9, 300)
    slow = [loss[int(k // 1.2) : k + 1].mean() for k in range(len(loss))]
    np.testing.assert_allclose(log_moving_average(loss), slow, rtol=1e-12)


def test_thinning_keeps_the_published_grid():
    curve = simulated_curve(SHORT_RUN, 12_345)
    step, loss = smooth_and_thin(curve)
    expected = [*range(1, 100), *range(100, 1_000, 10), *range(1_000, 10_000, 100), 10_000, 11_000, 12_000, 12_345]
    np.testing.assert_array_equal(step, expected)
    np.testing.assert_allclose(loss[-1], log_moving_average(curve.loss)[-1])


def test_thinned_curve_is_not_thinned_again():
    step, loss = smooth_and_thin(simulated_curve(SHORT_RUN, 12_345))
    again = smooth_and_thin(LossCurve("thinned", step, loss))
    np.testing.assert_array_equal(again, (step, loss))
    assert "already smoothed" in thinned_points(LossCurve("thinned", step, loss)).notes[0]


@pytest.mark.parametrize("every", [1, 10, 100, 1_000])
def test_regular_raw_logs_are_not_taken_for_thinned_ones(every):
    assert not already_thinned(np.arange(every, 60_000, every, dtype=float))


def test_bins_hold_every_step_once_and_end_at_the_last_step():
    step = np.arange(1.0, 5_001)
    index = bin_index(np.log(step))
    assert index[0] == 0
    assert (np.diff(index) >= 0).all()
    last = step[index == index[-1]]
    assert last[-1] == 5_000
    assert last[0] == pytest.approx(5_000 * 10 ** (-1 / BINS_PER_DECADE), abs=1)


def test_binned_point_is_the_mean_of_logs():
    curve = simulated_curve(SHORT_RUN, 2_048, noise=0.1)
    points = binned_points(curve)
    inside = bin_index(np.log(curve.step)) == points.log_bin[-1]
    assert points.x[-1] == pytest.approx(np.log(curve.step[inside]).mean())
    assert points.y[-1] == pytest.approx(np.log(curve.loss[inside]).mean())


def test_cutoff_drops_steps_up_to_and_including_itself():
    points = binned_points(simulated_curve(SHORT_RUN, 2_048))
    kept = points.first_step[points.after(30) > 0]
    assert kept.min() > 30
    assert points.first_step[points.after(30) == 0].max() <= 30


def test_blocks_are_contiguous_and_even():
    points = binned_points(simulated_curve(SHORT_RUN, 2_048))
    weight = points.after(30)
    block = points.blocks(weight, 8)
    assert (block[weight == 0] == -1).all()
    inside = block[weight > 0]
    assert (np.diff(inside) >= 0).all()
    sizes = np.bincount(inside)
    assert len(sizes) == 8
    assert sizes.max() - sizes.min() <= 1


def test_step_zero_is_no_point():
    curve = LossCurve("from zero", np.arange(0.0, 200), np.full(200, 3.0))
    assert binned_points(curve).first_step[0] == 1
    assert thinned_points(curve).first_step[0] == 1
