"""Logs that were once read wrongly, from the reference data; own inputs of each kind are in the other tests."""

import numpy as np
import pytest

from zerosum.curves import read_curve
from zerosum.errors import InputError

STEPS = np.arange(100.0, 3_001, 100)

READ = {  # first step, last step, first loss, last loss, number of points, code of a note
    "split_column.csv": (100, 3_000, 6.2976, 3.0696, 30, "series-chosen"),
    "metric_name_column.csv": (100, 3_000, 6.2976, 3.0696, 30, "series-chosen"),
    "nanochat_base_then_sft.log": (0, 58, 10.119289, 3.042378, 30, "several-jobs"),
    "epoch_restarts_step.csv": (0, 1_180, 10.1193, 3.3971, 60, "steps-of-epochs"),
    "diverged_to_nan.csv": (100, 1_400, 6.2976, 3.2557, 14, "diverged"),
    "loss_summed_over_sequence.csv": (100, 3_000, 6448.7, 3143.3, 30, "unit-doubtful"),
}
REFUSED = {
    "model_column.csv": "2 runs in it.*--where model=small",
    "runs_interleaved.csv": "3 runs in it.*--where run=a",
    "wandb_runs_table.csv": "a table of finished runs",
    "run-a-tag-train_learning_rate.csv": "is no training loss",
}


@pytest.mark.parametrize("name", READ)
def test_read_right_and_said(reference_data, name):
    curve = read_curve(reference_data / "cases" / "logs" / name)
    first_step, last_step, first_loss, last_loss, n, code = READ[name]
    assert (curve.step[0], curve.step[-1], len(curve)) == (first_step, last_step, n)
    np.testing.assert_allclose([curve.loss[0], curve.loss[-1]], [first_loss, last_loss], rtol=1e-4)
    assert code in curve.cleaning_codes


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(reference_data, name):
    with pytest.raises(InputError, match=REFUSED[name]):
        read_curve(reference_data / "cases" / "logs" / name)
