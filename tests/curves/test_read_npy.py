"""NumPy's own files, and files made to harm that claim to be."""

import io
import pickle
import time

import numpy as np
import pytest
from written import put

from zerosum.curves import read_curve
from zerosum.curves.formats import npy as npy_format
from zerosum.errors import InputError

LOSSES = np.linspace(8, 3, 40)
STEPS = np.arange(10, 410, 10)


def npy(array):
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def npz(**arrays):
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


@pytest.mark.parametrize("dtype", ["<f8", ">f4", "<f2"])
def test_an_array_of_losses(tmp_path, dtype):
    array = LOSSES.astype(dtype)
    curve = read_curve(put(tmp_path / "losses.npy", npy(array)))
    np.testing.assert_array_equal(curve.loss, array.astype(float))
    np.testing.assert_array_equal(curve.step, np.arange(1, 41))
    assert curve.format == "numpy"
    assert curve.cleaning_codes == ("steps-counted",)


def test_named_arrays(tmp_path):
    path = put(tmp_path / "log.npz", npz(steps=STEPS, train_losses=LOSSES, val_losses=LOSSES[:3], lr=LOSSES * 0.1))
    curve = read_curve(path)
    np.testing.assert_array_equal(curve.step, STEPS)
    np.testing.assert_array_equal(curve.lr, LOSSES * 0.1)
    assert "arrays of another length left out: 'val_losses' 3" in curve.cleaning


def test_records_and_two_dimensions(tmp_path):
    records = np.rec.fromarrays([STEPS, LOSSES], names="step,loss")
    np.testing.assert_array_equal(read_curve(put(tmp_path / "a.npy", npy(records))).step, STEPS)
    path = put(tmp_path / "b.npy", npy(np.stack([STEPS, LOSSES], axis=1)))
    with pytest.raises(InputError, match="there are 'column 1', 'column 2'"):
        read_curve(path)
    np.testing.assert_array_equal(read_curve(path, step="column 1", loss="column 2").loss, LOSSES)


class Harm:
    def __reduce__(self):
        return pytest.exit, ("a pickle was executed",)


def claiming(shape):
    return npy(LOSSES).replace(b"(40,), }" + b" " * len(shape), f"{shape}, }}".encode() + b" " * 5, 1)


HOSTILE = {
    "pickled objects": lambda: npy(np.array([1.0])).replace(b"'<f8'", b"'|O' ")[:-8] + pickle.dumps(Harm()),
    "pickled objects in an archive": lambda: npz(loss=np.array([Harm()], dtype=object)),
    "no archive": lambda: b"PK\x03\x04" + npy(LOSSES),
    "more than the file holds": lambda: claiming("(4000000000000,)"),
    "cut off": lambda: npz(loss=LOSSES)[:200],
    "steps of another number": lambda: npz(loss=LOSSES, step=STEPS[1:]),
    "whole numbers": lambda: npy(np.arange(40)),
    "no numbers": lambda: npy(np.array(["a", "b"])),
    "nothing": lambda: npy(np.array([])),
    "one number": lambda: npy(np.array(3.0)),
    "three dimensions": lambda: npy(np.zeros((2, 2, 2))),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files_are_refused_in_one_line(tmp_path, kind):
    path = put(tmp_path / "log.npy", HOSTILE[kind]())
    start = time.process_time()
    with pytest.raises(InputError) as error:
        read_curve(path)
    assert "\n" not in str(error.value)
    assert time.process_time() - start < 2


def test_an_archive_that_unpacks_to_more_than_a_log_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(npy_format, "MOST_BYTES", 10_000)
    for content in (npz(loss=np.zeros(2_000)), npy(np.zeros(2_000) + 0.5)):
        with pytest.raises(InputError, match="over 1 GiB"):
            read_curve(put(tmp_path / "log.npz", content))
