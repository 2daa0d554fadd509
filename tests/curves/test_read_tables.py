"""Lightning's sparse CSV, and Parquet."""

import importlib

import numpy as np
import pandas as pd
import pytest
from written import put

from zerosum.curves import read_curve
from zerosum.errors import InputError, MissingExtra

LIGHTNING = """epoch,lr-AdamW,step,train_loss_epoch,train_loss_step,val_loss
,0.001,49,,,
0,,49,,3.5,
,0.002,99,,,
0,,99,,3.25,
0,,99,,,3.3
0,,99,3.4,,
,0.001,149,,,
1,,149,,3.0,
"""
COUNTED = "steps are counted from 0, as Lightning does: the loss of step k comes after k updates"


@pytest.mark.parametrize("place", ["metrics.csv", "version_0/metrics.csv", "lightning_logs/version_3/metrics.csv"])
def test_lightning(tmp_path, place):
    path = put(tmp_path / place, LIGHTNING)
    for source in (path, path.parent, tmp_path):
        curve = read_curve(source)
        np.testing.assert_array_equal(curve.step, [49, 99, 149])
        np.testing.assert_array_equal(curve.loss, [3.5, 3.25, 3.0])
        np.testing.assert_array_equal(curve.lr, [0.001, 0.002, 0.001])
        assert curve.format == "lightning csv"
        assert curve.cleaning == (
            COUNTED,
            "lr of 3 rows taken from other rows of the same step",
            "5 rows without a loss (empty or NaN) dropped",
        )


def test_lightning_without_validation_is_known_by_its_name(tmp_path):
    text = "epoch,step,train_loss\n0,49,3.5\n0,99,3.0\n"
    assert read_curve(put(tmp_path / "metrics.csv", text)).cleaning == (COUNTED,)
    assert read_curve(put(tmp_path / "other.csv", text)).cleaning == ()


def test_two_versions_are_two_runs(tmp_path):
    for version in (0, 1):
        put(tmp_path / "lightning_logs" / f"version_{version}" / "metrics.csv", LIGHTNING)
    with pytest.raises(InputError, match=r"2 runs in it.*version_0.*version_1"):
        read_curve(tmp_path)


class TestParquet:
    @pytest.fixture
    def write(self, tmp_path):
        pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")

        def write(**columns):
            pd.DataFrame(columns).to_parquet(tmp_path / "a.parquet")
            return tmp_path / "a.parquet"

        return write

    def test_columns_of_many_types(self, write):
        step = np.arange(5, dtype=np.int32)
        path = write(step=step, loss=np.float32([5, 4, np.nan, 2, 1]), tokens=pd.array([1, 2, 3, None, 5], "Int64"))
        curve = read_curve(path)
        np.testing.assert_array_equal(curve.step, [0, 1, 3, 4])
        np.testing.assert_array_equal(curve.loss, [5, 4, 2, 1])
        assert curve.format == "parquet"
        assert "tokens left out: missing in 1 of 4 rows" in curve.cleaning

    def test_text_that_holds_numbers(self, write):
        np.testing.assert_array_equal(read_curve(write(step=["1", "2"], loss=["3.5", "nan"])).loss, [3.5])

    def test_columns_that_cannot_be_numbers_are_not_offered(self, write):
        with pytest.raises(InputError, match="no column is known as the loss; there are 'step'"):
            read_curve(write(step=[1], loss=[[1.0]]))

    def test_cut_off(self, write):
        path = write(step=np.arange(99), loss=np.ones(99))
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(InputError, match="not a Parquet file that can be read"):
            read_curve(path)


def test_missing_pyarrow_is_one_line_with_the_remedy(tmp_path, monkeypatch):
    def without(name, *args):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return imported(name, *args)

    imported = importlib.import_module
    monkeypatch.setattr("zerosum.curves.formats.parquet.import_module", without)
    with pytest.raises(MissingExtra, match=r"pip install 'zerosum\[parquet\]'"):
        read_curve(put(tmp_path / "a.parquet", b"PAR1" + bytes(30)))
