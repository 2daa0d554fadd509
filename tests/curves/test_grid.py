"""Is a log already on the published grid?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerosum.curves import read_curve
from zerosum.curves.grid import already_thinned, grid_spacing, on_grid

GRID = np.r_[10.0:100, 100:1_000:10, 1_000:10_000:100, 10_000:50_001:1_000]


def test_spacing_grows_by_ten_at_each_power_of_ten():
    np.testing.assert_array_equal(
        grid_spacing(np.array([1.0, 99, 100, 999, 1_000, 9_999, 10_000, 1e6])), [1, 1, 10, 10, 100, 100, 1_000, 1_000]
    )


@given(st.lists(st.integers(0, 300_000), min_size=1, unique=True))
def test_thinning_to_the_grid_is_recognised_as_idempotent(steps):
    step = np.sort(np.array(steps, dtype=float))
    thinned = step[on_grid(step)]
    np.testing.assert_array_equal(thinned[on_grid(thinned)], thinned)
    assert thinned[-1] == step[-1]


@pytest.mark.parametrize("end", [[], [50_123.0], [50_000.0]], ids=["regular", "odd last step", "last row repeated"])
def test_grid_is_recognised(end):
    assert already_thinned(np.r_[GRID, end])


def test_grid_with_gaps_is_recognised():
    rng = np.random.default_rng(0)
    assert already_thinned(GRID[rng.random(len(GRID)) < 0.8])


@pytest.mark.parametrize(
    "step",
    [np.arange(0.0, 3_000), np.arange(10.0, 5_000, 10), np.arange(1.0, 99), np.r_[GRID, 20_000.0], np.r_[GRID, GRID]],
    ids=["every step", "every tenth", "too short to tell", "goes back", "written twice"],
)
def test_other_logs_are_not(step):
    assert not already_thinned(step)


def test_published_curves_are_kept_as_they_are(reference_data):
    for path in (reference_data / "curves" / "paper").glob("*.csv"):
        curve = read_curve(path)
        assert len(curve) == len(path.read_text().splitlines()) - 1
        assert len(curve.cleaning) == 1
        assert "kept as is" in curve.cleaning[0]
        assert ("repeated last row" in curve.cleaning[0]) == (path.stem == "OLMo-7B")
