"""All measurements of one store in one record, beside the same numbers computed by hand."""

import dataclasses

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from zerosum.errors import InputError
from zerosum.interference import measure, over_repeats
from zerosum.interference.labelled import findings_of, mean_losses, measure_changes, measure_store, one_steps

STEPS = (0, 1, 2, 4)
DIMS = ("checkpoint", "sequence", "position")


def stepped_store(documents=20, sequences=40, positions=6, batch=25):
    """Losses at four checkpoints and after the optimizer step from each but the first."""
    rng = np.random.default_rng(0)
    loss = rng.gamma(4, 1, (len(STEPS), sequences, positions)).astype(np.float32)
    after = loss + rng.normal(-0.1, 1, loss.shape).astype(np.float32)
    batch_loss = rng.gamma(4, 1, (len(STEPS), batch, positions)).astype(np.float32)
    batch_after = batch_loss + rng.normal(-0.2, 1, batch_loss.shape).astype(np.float32)
    after[0] = batch_loss[0] = batch_after[0] = np.nan
    return xr.Dataset(
        {
            "loss": (DIMS, loss),
            "loss_after_step": (DIMS, after),
            "batch_loss": (("checkpoint", "batch_sequence", "position"), batch_loss),
            "batch_loss_after_step": (("checkpoint", "batch_sequence", "position"), batch_after),
        },
        coords={
            "step": ("checkpoint", np.array(STEPS)),
            "token": (("sequence", "position"), rng.integers(0, 9, (sequences, positions))),
            "document": ("sequence", np.arange(sequences) * documents // sequences),
        },
    )


def test_single_steps_are_those_of_plain_arrays():
    store = stepped_store()
    changes = {(change.step, change.split): change for change in one_steps(store)}
    assert list(changes) == [(step, split) for step in STEPS[1:] for split in ("heldout", "batch")]
    x = {name: store[name].to_numpy().astype(np.float64) for name in store.data_vars}
    for k, step in enumerate(STEPS[1:], start=1):
        held_out = measure((x["loss_after_step"] - x["loss"])[k], store["document"].to_numpy()[:, None])
        assert changes[step, "heldout"].measured == held_out
        assert changes[step, "batch"].measured == measure((x["batch_loss_after_step"] - x["batch_loss"])[k])
    assert changes[4, "heldout"].changes.units == "document"
    assert changes[4, "batch"].changes.units == "sequence"
    assert changes[4, "batch"].changes.loss == pytest.approx(x["batch_loss"][3].mean())


def test_the_same_units_are_resampled_everywhere():
    few = stepped_store(documents=19)
    assert {change.changes.units for change in one_steps(few)} == {"sequence"}
    assert {pair.units for pair in measure_store(few).pairs} == {"sequence"}
    assert all("40 sequences" in row.loss.method for row in mean_losses(few))


def test_a_store_without_steps_has_none():
    assert not list(one_steps(stepped_store().drop_vars("loss_after_step")))


def test_mean_losses_with_intervals_over_documents():
    store = stepped_store()
    rows = mean_losses(store)
    loss = store["loss"].to_numpy().astype(np.float64)
    assert [row.step for row in rows] == list(STEPS)
    assert [row.loss.value for row in rows] == pytest.approx(loss.mean(axis=(1, 2)).tolist())
    assert all(np.isnan(row.tokens_seen) and row.noise_floor is None for row in rows)
    last = rows[-1].loss
    assert last.interval == measure(loss[-1], store["document"].to_numpy()[:, None]).interval.M
    assert (last.N, last.of, last.unit) == (240, "tokens", "nats per token")
    assert "20 documents" in last.method


def test_a_mean_over_missing_losses_is_not_given():
    store = stepped_store()
    store["loss"][1, 0, 0] = np.nan
    mean = mean_losses(store)[1].loss
    assert (mean.known, mean.reason) == (False, "1 of its losses are no number")


def test_findings_hold_the_pairs_that_measure_store_finds():
    store = stepped_store()
    findings = findings_of(store)
    expected = measure_store(store)
    assert [pair.measured for pair in findings.found.pairs] == [pair.measured for pair in expected.pairs]
    assert findings.found.persistence == expected.persistence
    assert findings.found.moved == expected.moved
    assert findings.one_steps == tuple(one_steps(store))
    assert findings.mean_losses == mean_losses(store)
    assert {split.by for split in findings.groups} == {
        *("document", "first-loss", "initial-loss", "position", "token-frequency")
    }
    assert [(gap.what, gap.code) for gap in findings.left_out] == [
        ("Groups by domain", "groups-unavailable"),
        ("Groups by token-class", "groups-unavailable"),
    ]
    assert findings.heat.documents
    assert [pair.to_step for pair, _ in findings.groups[0].splits] == [2, 4]


def test_what_is_not_wanted_is_not_measured():
    findings = findings_of(stepped_store(), groups=False, heat=False)
    assert (findings.groups, findings.heat, findings.left_out) == ((), None, ())


def test_gaps_have_codes():
    store = stepped_store().drop_vars("document")
    store["loss"][3] = np.nan
    codes = {gap.what: gap.code for gap in findings_of(store).left_out}
    assert codes["Steps 2 to 4"] == "pair-failed"
    assert codes["Documents token by token"] == "documents-unavailable"
    store.attrs["problems"] = [{"code": "identical-weights", "steps": [1, 2], "message": "the same weights"}]
    findings = findings_of(store)
    assert {gap.code for gap in findings.left_out} == {"no-sound-pair", "pair-failed"}
    assert "(identical-weights)" in findings.left_out[0].why
    assert not findings.groups


def test_steps_that_cannot_be_shown_are_refused_when_asked_for():
    with pytest.raises(InputError, match="step 3: not measured"):
        findings_of(stepped_store(), between=(1, 3))
    with pytest.raises(InputError, match="which documents"):
        findings_of(stepped_store().drop_vars("document"), between=(1, 2))


def test_no_pair_at_all_is_refused():
    store = stepped_store()
    store["loss"][1:] = np.nan
    with pytest.raises(InputError, match="has no loss at all"):
        findings_of(store)


def test_documents_of_each_token_are_units_too():
    before = np.random.default_rng(0).normal(3, 1, (40, 5))
    after = before + np.random.default_rng(1).normal(-0.1, 1, before.shape)
    many = np.repeat(np.arange(20), 2)
    by_sequence = measure_changes(before, after, many)
    assert by_sequence == measure_changes(before, after, np.broadcast_to(many[:, None], before.shape))
    assert dataclasses.replace(by_sequence.measured, left_out=0) == measure(after - before, many[:, None])


def test_means_over_repetitions_are_those_of_students_t():
    values = [0.3, 0.9, 0.4, 0.7]
    mean = over_repeats([*values, float("nan")], "batches", "nats")
    assert mean.interval == pytest.approx(stats.t.interval(0.95, 3, np.mean(values), stats.sem(values)))
    assert (mean.N, mean.of, mean.unit, mean.level) == (4, "batches", "nats", 0.95)
    alone = over_repeats([0.5, float("nan")], "seeds")
    assert (alone.value, alone.interval, alone.N) == (0.5, None, 1)
    assert alone.reason == "1 of 2 seeds give it; an interval needs 2"
