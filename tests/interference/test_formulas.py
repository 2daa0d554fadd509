"""R and D against their definitions, and everything that may come in as an array."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from zerosum.interference import destructive_interference, net_ratio

changes = arrays(
    np.float64, st.integers(1, 60), elements=st.floats(-1e6, 1e6).filter(lambda x: x == 0 or abs(x) > 1e-6)
)


@given(changes)
def test_D_by_counting_what_opposes(x):
    """D is twice the smaller of total gains and total losses, over all movement: an independent way to count."""
    gained, lost = x[x > 0].sum(), -x[x < 0].sum()
    D = destructive_interference(x)
    if gained + lost == 0:
        assert np.isnan(D)
    else:
        assert pytest.approx(2 * min(gained, lost) / (gained + lost), abs=1e-9) == D


@given(changes, st.floats(0.01, 100))
def test_D_ignores_scale_and_sign(x, scale):
    D = destructive_interference(x)
    np.testing.assert_allclose(destructive_interference(-scale * x), D, atol=1e-9)


def test_nan_in_nan_out():
    assert np.isnan(destructive_interference([1.0, np.nan]))
    assert np.isnan(destructive_interference(np.zeros(3)))


def test_axis():
    x = np.array([[1.0, -1.0], [1.0, 3.0]])
    np.testing.assert_allclose(net_ratio(x, axis=0), [1.0, 0.5])
    np.testing.assert_allclose(net_ratio(x), [0.0, 1.0])


def test_labelled_arrays_and_tensors():
    torch = pytest.importorskip("torch")
    x = [[1.0, -0.5, 2.0]]
    expected = net_ratio(x)
    assert net_ratio(xr.DataArray(x, dims=["sequence", "position"])) == expected
    assert net_ratio(torch.tensor(x, dtype=torch.bfloat16, requires_grad=True)) == expected


def test_float16_changes_are_summed_in_float64():
    x = np.full(100_000, 0.1, dtype=np.float16)
    x[::2] = -x[::2]
    assert destructive_interference(x) == 1.0
