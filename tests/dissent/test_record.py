"""The record: intervals, classes of label frequency, reasons, parts that are frozen, and how it is stored."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tiny import moved_model
from written_out import Apart

from zerosum.dissent import measure_dissent as dissent
from zerosum.dissent import read_dissent
from zerosum.dissent._store import StoredRecords, to_document
from zerosum.errors import InputError
from zerosum.interference import InterferenceSums, interval


def test_means_have_intervals_over_sequences_or_what_is_given():
    model = Apart()
    tokens = np.random.default_rng(0).integers(0, 7, (24, 11))
    found = dissent(model, tokens, seed=3)
    values = found.per_token["dissent"]
    assert found.token["dissent"].interval == interval(InterferenceSums.of(values), seed=3).delta_L
    assert found.token["dissent"].quantiles[95] == np.percentile(values, 95)
    unit = np.arange(24) // 2
    assert (found.n_units, found.to_json()["n_units"]) == (24, 24)
    few = dissent(model, tokens, unit=unit).token["dissent"]
    assert (few.interval, few.mean) == (None, found.token["dissent"].mean)
    assert "12 units" in few.reason


def test_classes_of_label_frequency_hold_every_token_once():
    model, rng = Apart(), np.random.default_rng(0)
    tokens = rng.choice(7, (30, 9), p=[0.6, 0.3, 0.06, 0.02, 0.01, 0.01, 0.0])
    found = dissent(model, tokens)
    assert sum(one.token["loss"].N for one in found.frequency) == found.N == 240
    assert sum(one.n_labels for one in found.frequency) == len(set(tokens[:, 1:].ravel()))
    labels, count = np.unique(tokens[:, 1:], return_counts=True)
    for one in found.frequency:
        low, high = (int(end) for end in one.name.split(" to "))
        inside = labels[(count >= low) & (count <= high)]
        chosen = np.isin(tokens[:, 1:], inside)
        assert one.n_labels == len(inside) == one.rows["dissent"].N
        assert one.token["dissent"].mean == pytest.approx(found.per_token["dissent"][chosen].mean())
        assert (one.token["dissent"].N, len(one.token)) == (chosen.sum(), 4)
    assert len({one.name for one in found.frequency}) > 2


def test_the_document_has_a_reason_for_every_number_that_is_missing():
    model = Apart()
    model.body.weight.data[:] = 0
    found = dissent(model, np.zeros((2, 5), dtype=int)).to_json()
    json.dumps(found, allow_nan=False)

    def missing(tree):
        for name, value in tree.items():
            if value is None:
                yield name, tree.get(f"{name}_reason")
            several = value if isinstance(value, list) else [value]
            for one in several:
                if isinstance(one, dict):
                    yield from missing(one)

    reasons = list(missing(found))
    assert {"interval", "dissent"} <= {name for name, _ in reasons}
    assert all(reason for _, reason in reasons)


def test_frozen_parts_are_left_out(tokens):
    model = moved_model("llama", tied=False)
    whole = dissent(model, tokens.numpy())
    model.lm_head.weight.requires_grad_(False)
    found = dissent(model, tokens.numpy())
    assert (found.head, dict(found.rows), found.body) == (None, {}, whole.body)
    assert found.to_json()["head_reason"] == "the head is frozen"
    for one in model.model.parameters():
        one.requires_grad_(False)
    model.lm_head.weight.requires_grad_(True)
    found = dissent(model, tokens.numpy())
    assert (found.head, found.body, found.parameters) == (whole.head, None, ())
    assert "frozen" in found.to_json()["body_reason"]


def test_a_record_is_read_as_it_was_written(tmp_path):
    model = Apart()
    model.body.weight.data[:] = 0  # numbers that are not known, too
    record = dissent(model, np.zeros((2, 5), dtype=int))
    records = StoredRecords(tmp_path, {"seed": 0})
    records.add("step-3", to_document(record))
    stored = records.record("step-3")
    assert stored.to_json() == record.to_json()
    assert repr((stored.frequency, stored.layers)) == repr((record.frequency, record.layers))  # NaN is not NaN
    assert (stored.reasons, stored.notes, stored.per_token) == (record.reasons, record.notes, {})
    assert StoredRecords(tmp_path, {"seed": 1}).record("step-3") is None
    assert records.record("step-4") is None
    assert records.finished() == {"step-3"}


def test_files_that_are_damaged_or_of_another_format_are_measured_anew(tmp_path):
    records = StoredRecords(tmp_path, {"seed": 0})
    records.add("step-3", to_document(dissent(Apart(), np.arange(8).reshape(2, 4) % 7)))
    file = tmp_path / "step-3.json"
    content = json.loads(file.read_text())
    for damaged in ("", "{", "[]", "null", json.dumps(content | {"measured": {"N": 3}}), json.dumps({"how": {}})):
        file.write_text(damaged)
        assert records.record("step-3") is None, damaged
        assert not records.is_finished("step-3"), damaged
        with pytest.raises(InputError, match=r"damaged: step-3.json has changed since it was written\. Start the same"):
            read_dissent(tmp_path)
    content.pop("sha256")  # as earlier versions wrote it
    file.write_text(json.dumps(content))
    assert records.record("step-3").step == read_dissent(tmp_path).last.step
    file.write_text(json.dumps(content | {"how": {"format": 1}}))
    assert records.record("step-3") is read_dissent(tmp_path) is None


def test_a_folder_is_read_as_the_largest_measurement_in_it(tmp_path):
    record = dissent(Apart(), np.arange(8).reshape(2, 4) % 7)
    assert read_dissent(tmp_path) is None
    for step, seed in ((10, 0), (2, 0), (4, 1)):
        key = {"seed": seed, "weights": f"hash {step}", "config": "hash"}
        document = to_document(replace(record, step=step, source=f"run/{step}"))
        StoredRecords(tmp_path, key).add(f"step-{step}", document)
    over = read_dissent(tmp_path, "run")
    assert (over.name, over.steps, over.last.source) == ("run", [2, 10], "run/10")


def test_each_place_has_its_numbers_as_estimates():
    record = dissent(Apart(), np.random.default_rng(0).integers(0, 7, (24, 11)))
    token, head = record.estimate("token"), record.estimate("head", "cancellation")
    assert (token.value, token.interval, token.N) == (
        record.token["dissent"].mean, record.token["dissent"].interval, record.N
    )  # fmt: skip
    assert (head.value, head.interval) == (record.head.cancellation, None)
    assert "one vector" in head.reason
    assert record.estimate("rows").value == record.rows["dissent"].mean
    frozen = replace(record, head=None, rows={})
    assert {frozen.estimate(place).reason for place in ("head", "rows")} == {"the head is frozen"}
