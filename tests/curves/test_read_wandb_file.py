"""W&B's offline files: hand-made, framed by hand around wandb's own messages, and written by wandb itself."""

import numpy as np
import pytest
from written import field, history, log_file, put

from zerosum.curves import read_curve
from zerosum.errors import InputError

ROWS = [{"_step": s, "train/loss": 4.0 - s / 1_000, "lr": 0.5, "nested": {"a": s}} for s in range(2_000)]
RECORDS = [history(row) for row in ROWS]


def test_all_rows_across_blocks(tmp_path):
    data = log_file(RECORDS)
    assert len(data) > 4 * 32_768
    curve = read_curve(put(tmp_path / "run-ab12.wandb", data))
    np.testing.assert_array_equal(curve.loss, [row["train/loss"] for row in ROWS])
    np.testing.assert_array_equal(curve.lr, 0.5)
    assert (curve.name, curve.format, curve.cleaning) == ("run-ab12", "wandb file", ())
    assert curve.columns == {"step": "_step", "loss": "train/loss", "lr": "lr"}


@pytest.mark.parametrize("size", [32_768 - 14 - left for left in range(12)] + [100_000])
def test_records_of_any_length_around_the_ends_of_blocks(tmp_path, size):
    filler = field(4, bytes(size))  # an output record, not history
    data = log_file([filler, RECORDS[1], filler, RECORDS[2], RECORDS[3]])
    np.testing.assert_array_equal(read_curve(put(tmp_path / "run-a.wandb", data)).step, [1, 2, 3])


def test_nested_names_and_the_records_own_step(tmp_path):
    records = [history({"train": {"nll": 3.0}}, step=0), history({"train": {"nll": 2.0}}, step=5)]
    curve = read_curve(put(tmp_path / "run-a.wandb", log_file(records)), loss="train.nll")
    np.testing.assert_array_equal(curve.step, [0, 5])


def test_logged_step_goes_before_the_loggers_own_counter(tmp_path):
    records = [history({"train/global_step": 10 * s, "loss": 3.0}, step=s) for s in range(5)]
    curve = read_curve(put(tmp_path / "run-a.wandb", log_file(records)))
    np.testing.assert_array_equal(curve.step, [0, 10, 20, 30, 40])
    assert curve.cleaning == ("the step is 'train/global_step'; '_step' is there too and was not used",)


def test_name_of_the_run(tmp_path):
    run = field(17, field(1, "ab12") + field(8, "wide\n fox"))
    assert read_curve(put(tmp_path / "run-ab12.wandb", log_file([run, *RECORDS]))).name == "wide fox"


def test_values_that_are_no_numbers(tmp_path):
    values = [3.0, float("nan"), "NaN", float("inf"), {"_type": "histogram", "values": [1]}, [1], None, True]
    values += [2.0] * 50
    records = [history({"_step": s, "loss": value}) for s, value in enumerate(values)]
    np.testing.assert_array_equal(read_curve(put(tmp_path / "run-a.wandb", log_file(records))).step, [0, *range(8, 58)])


def test_folder_of_a_resumed_run(tmp_path):
    for start, stamp, rows in [(0, "20260101_000000", RECORDS[:600]), (400, "20260102_000000", RECORDS[400:900])]:
        put(tmp_path / f"offline-run-{stamp}-ab12" / "run-ab12.wandb", log_file(rows))
        assert len(read_curve(tmp_path / f"offline-run-{stamp}-ab12")) == len(rows), start
    curve = read_curve(tmp_path)
    assert len(curve) == 900
    assert curve.cleaning[0] == "2 files of the same run id read one after the other, by the time in their names"


def test_folder_of_two_runs_is_not_mixed(tmp_path):
    for run in ("ab12", "cd34"):
        put(tmp_path / "wandb" / f"run-20260101_000000-{run}" / f"run-{run}.wandb", log_file(RECORDS[:5]))
    with pytest.raises(InputError, match=r"2 runs in it.*run-ab12.wandb.*run-cd34.wandb.*Name one of them"):
        read_curve(tmp_path)


@pytest.mark.parametrize("cut", [1, 5, 30, 70])
def test_what_a_killed_run_leaves(tmp_path, cut):
    curve = read_curve(put(tmp_path / "run-a.wandb", log_file(RECORDS[:50])[:-cut]))
    assert len(curve) == 49
    assert curve.cleaning == ("run-a.wandb: the last record is cut off and was dropped",)


def test_damage_costs_a_block_and_is_counted(tmp_path):
    data = bytearray(log_file(RECORDS))
    data[40_000] ^= 1
    curve = read_curve(put(tmp_path / "run-a.wandb", bytes(data)))
    assert 1_000 < len(curve) < 2_000
    assert set(curve.step) < set(range(2_000))
    assert curve.cleaning[0] == "1 damaged records dropped"
    assert "1 gap in the steps" in curve.cleaning[1]


@pytest.mark.parametrize(
    "data", [log_file([]), log_file([field(1, 5)]), log_file([b"\xff" * 9]), log_file(RECORDS)[:9]]
)
def test_no_history(tmp_path, data):
    with pytest.raises(InputError, match="no history"):
        read_curve(put(tmp_path / "run-a.wandb", data))


def test_wandbs_own_messages(tmp_path):
    messages = pytest.importorskip("wandb.proto.wandb_internal_pb2", reason="wandb's messages, to compare with")
    records = []
    for step in range(100):
        record = messages.Record(num=step)
        record.history.step.num = step
        for keys, value in [(["train", "nll"], 3.0 - step / 100), (["lr"], 0.1)]:
            item = record.history.item.add(value_json=str(value))
            item.nested_key.extend(keys)
        records.append(record.SerializeToString())
    curve = read_curve(put(tmp_path / "run-a.wandb", log_file(records)), loss="train.nll")
    np.testing.assert_array_equal(curve.loss, 3.0 - np.arange(100) / 100)


def test_what_wandb_itself_writes(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb", reason="wandb writes the run")
    monkeypatch.setenv("WANDB_SILENT", "true")
    with wandb.init(mode="offline", project="p", dir=tmp_path, settings=wandb.Settings(console="off")) as run:
        for step in range(200):
            run.log({"train/loss": 4.0 - step / 1_000, "deep": {"er": step}, "bad": float("nan")})
    curve = read_curve(tmp_path)
    np.testing.assert_array_equal(curve.loss, 4.0 - np.arange(200) / 1_000)
    np.testing.assert_array_equal(read_curve(tmp_path, lr="deep.er").lr, np.arange(200))
