"""The held-out loss is the curve of a log that has it densely; else the loss of the batches."""

import math

import numpy as np
import pytest
from any_logs import lines

from zerosum.curves import read_curve
from zerosum.curves.held_out import COLUMN


def log(path, last, held_out_at):
    rows = [{"step": s, "tokens_seen": 256 * s, "loss": 4 / s + 1, "lr": 1e-3} for s in range(1, last + 1)]
    for row in rows:
        if row["step"] in held_out_at:
            row[COLUMN] = 4 / row["step"] + 2
    path.write_text(lines(rows))
    return path


def grid(per_decade, last):
    return {step for k in range(10 * per_decade) if (step := round(10 ** (k / per_decade))) <= last}


@pytest.mark.parametrize(("per_decade", "last"), [(20, 900), (30, 5_000), (80, 300)])
def test_a_dense_held_out_loss_is_the_curve_and_this_is_said(tmp_path, per_decade, last):
    at = grid(per_decade, last)
    path = log(tmp_path / "metrics.jsonl", last, at)
    curve = read_curve(path)
    assert curve.step.tolist() == sorted(at)
    np.testing.assert_allclose(curve.loss, 4 / curve.step + 2)
    np.testing.assert_array_equal(curve.tokens, 256 * curve.step)
    assert curve.columns["loss"] == COLUMN
    (note,) = (note for note in curve.cleaning if note.code == "series-chosen")
    assert f"logged at {len(at)} of {last} steps" in note
    batches = read_curve(path, loss="loss")
    assert len(batches) == last
    assert not [note for note in batches.cleaning if note.code == "series-chosen"]


@pytest.mark.parametrize("at", [set(), {1}, {2**k for k in range(13)}, grid(10, 4_096), set(range(1, 20))])
def test_a_sparse_one_leaves_the_loss_of_the_batches(tmp_path, at):
    curve = read_curve(log(tmp_path / "metrics.jsonl", 4_096, at))
    assert len(curve) == 4_096
    assert curve.cleaning == ()


@pytest.mark.parametrize("value", [None, "2.5", True, [1.0], math.nan, math.inf, 10**400])
def test_what_is_no_number_does_not_count(tmp_path, value):
    rows = [{"step": s, "loss": 4 / s + 1, COLUMN: value} for s in range(1, 301)]
    path = tmp_path / "metrics.jsonl"
    path.write_text(lines(rows))
    assert read_curve(path).columns["loss"] == "loss"
