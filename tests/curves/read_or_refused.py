"""What every reader promises of every file."""

from pathlib import Path

import numpy as np

from zerosum.curves import read_curve
from zerosum.errors import InputError


def assert_read_or_refused(path: Path) -> None:
    """A curve that is one, or one line that says why not; nothing else may escape."""
    refused = ""
    try:
        curve = read_curve(path)
    except InputError as error:
        refused = str(error)
    else:
        assert (curve.loss > 0).all()
        assert np.isfinite(curve.loss).all()
        assert (np.diff(curve.step) > 0).all() or any("kept as is" in sentence for sentence in curve.cleaning)
        assert all(np.isfinite(axis).all() for axis in (curve.tokens, curve.lr) if axis is not None)
        assert all("\n" not in sentence for sentence in curve.cleaning)
        assert {"step", "loss"} <= set(curve.columns)
    assert "\n" not in refused
