"""Real optimizer steps from a checkpoint: known updates, means over batches, and JSON."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from zerosum.interference.labelled import BatchStep, CheckpointSteps, measure_changes


def steps_record(n_batches, tokens=300):
    """Simulated changes, 30 sequences of 10 tokens for each batch and for the held-out text."""
    rng = np.random.default_rng(0)
    batches = []
    for _ in range(n_batches):
        changes = {}
        for split, drift in (("batch", -0.1), ("heldout", -0.02)):
            before = rng.normal(3, 1, (tokens // 10, 10))
            changes[split] = measure_changes(before, before + rng.normal(drift, 0.1, before.shape))
        batches.append(BatchStep((0, 1, 2), 0.7, changes))
    return CheckpointSteps("run/checkpoint-3", 3, {"name": "AdamW", "lr": 1e-3}, ("a note",), 10, tuple(batches))


@pytest.mark.parametrize("case", ["early", "late"])
@pytest.mark.parametrize("split", ["train", "eval"])
def test_a_known_update_of_a_real_model(reference_data, case, split):
    from safetensors.numpy import load_file

    from zerosum.checkpoints import load_model
    from zerosum.losses import token_losses

    folder = reference_data / "gold" / case
    tokens = np.load(folder / f"tokens_{split}.npy")
    expected = json.loads((folder / f"expected_{split}.json").read_text())
    per_token = load_file(folder / f"per_token_{split}.safetensors")
    before, after = (token_losses(load_model(folder / which), tokens) for which in ("before", "after"))
    np.testing.assert_allclose(before, per_token["loss_before"], atol=1e-5)
    np.testing.assert_allclose(after, per_token["loss_after"], atol=1e-5)
    found = measure_changes(before, after)
    one = found.measured
    numbers, gold = [one.D, one.M, one.N], [expected["D_loss"], expected["M_loss"], before.size]
    assert numbers == pytest.approx(gold, abs=1e-5)
    assert found.loss == pytest.approx(float(per_token["loss_before"].mean()), abs=1e-5)


def test_changes_by_plain_sums():
    before = np.array([[1.0, 2.0, np.nan], [3.0, 1.0, 4.0]], dtype=np.float32)
    after = np.array([[0.5, 2.25, np.nan], [3.0, 0.5, 3.0]], dtype=np.float32)
    found = measure_changes(before, after)
    x = np.array([-0.5, 0.25, 0.0, -0.5, -1.0])
    one = found.measured
    assert (one.R, one.M, one.delta_L) == pytest.approx((x.sum() / np.abs(x).sum(), np.abs(x).mean(), x.mean()))
    assert (found.measured.N, found.loss, found.units) == (5, pytest.approx(2.2), "sequence")
    assert found.measured.interval is None


def test_documents_are_the_units_where_there_are_enough():
    before = np.random.default_rng(0).normal(3, 1, (40, 5))
    after = before + np.random.default_rng(1).normal(-0.1, 1, before.shape)
    many, few = np.repeat(np.arange(20), 2), np.repeat(np.arange(10), 4)
    found = measure_changes(before, after, many)
    assert (found.units, found.measured.interval.n_units) == ("document", 20)
    assert measure_changes(before, after, few).units == "sequence"
    by_token = measure_changes(before, after, np.broadcast_to(many[:, None], before.shape))
    assert by_token.measured.interval == found.measured.interval


def test_means_over_batches_are_those_of_students_t():
    found = steps_record(5)
    for name in ("R", "D", "M", "delta_L", "excess"):
        values = [getattr(one.changes["heldout"].measured, name) for one in found.batches]
        mean = found.mean(name, "heldout")
        ends = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
        assert mean.value == pytest.approx(np.mean(values))
        if name in ("M", "delta_L"):
            assert mean.interval == pytest.approx(ends)
        assert (mean.N, mean.of) == (5, "batches")


def test_an_interval_stays_where_the_number_can_be():
    found = steps_record(2, tokens=30)
    low, high = found.mean("D", "heldout").interval
    assert 0 <= low < high <= 1
    assert found.mean("M", "batch").interval[0] >= 0


def test_json_has_every_batch_and_the_means():
    document = steps_record(3).to_json()
    json.dumps(document, allow_nan=False)
    assert [(one["batch"], one["split"]) for one in document["batches"]] == [
        (k, split) for k in range(3) for split in ("batch", "heldout")
    ]
    assert document["batches"][0].keys() >= {
        *("R", "D", "M", "delta_L", "harmful_share", "N", "null", "null_unit", "excess", "interval"),
        *("grad_norm", "loss_before"),
    }
    mean = document["over_batches"][1]
    assert (mean["split"], mean["N"], mean["n_batches"], mean["D_N"], mean["D_N_of"]) == (
        "heldout",
        300,
        3,
        3,
        "batches",
    )
    assert len(mean["D_interval"]) == 2
    assert document["batch_size"] == 3


def test_of_a_single_batch_an_estimate_has_the_interval_over_its_units():
    steps = steps_record(1)
    measured = steps.batches[0].changes["batch"].measured
    estimate = steps.estimate("D", "batch")
    assert (estimate.value, estimate.interval, estimate.N) == (measured.D, measured.interval.D, 300)
    assert steps_record(3).estimate("D", "batch") == steps_record(3).mean("D", "batch")


def test_one_batch_gives_no_interval_over_batches():
    mean = steps_record(1).to_json()["over_batches"][0]
    assert mean["D_interval"] is None
    assert "needs 2" in mean["D_interval_reason"]


def test_a_step_that_changes_nothing_has_reasons():
    same = measure_changes(np.ones((25, 4)), np.ones((25, 4)))
    one = CheckpointSteps("a", 1, {}, (), 4, (BatchStep((0,), 0.0, {"batch": same, "heldout": same}),))
    document = one.to_json()
    assert document["batches"][0]["D"] is None
    assert "zero" in document["batches"][0]["D_reason"]
    assert document["over_batches"][0]["D"] is None
    assert math.isnan(one.mean("D", "batch").value)
