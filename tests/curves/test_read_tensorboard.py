"""TensorBoard event files, hand-made and written by TensorBoard's own writers."""

import struct

import numpy as np
import pytest
from written import EVENT_FILE, event, event_file, field, put, record, simple

from zerosum.curves import read_curve
from zerosum.errors import InputError

NAME = "events.out.tfevents.1700000000.host.1.0"


def test_bytes_that_torch_wrote(tmp_path):
    curve = read_curve(put(tmp_path / "run7" / NAME, EVENT_FILE))
    np.testing.assert_array_equal(curve.step, [1, 300])
    np.testing.assert_array_equal(curve.loss, [3.5, 2.25])
    assert (curve.name, curve.format, curve.columns) == ("run7", "tensorboard", {"step": "step", "loss": "train/loss"})
    assert curve.cleaning == ()


def test_hand_made_writer_agrees_with_torch(tmp_path):
    mine = event_file([(1, {"train/loss": 3.5}), (300, {"train/loss": 2.25})])
    a, b = (read_curve(put(tmp_path / name, data)) for name, data in [("a", mine), ("b", EVENT_FILE)])
    np.testing.assert_array_equal(a.loss, b.loss)


def test_every_point_is_read(tmp_path):
    """TensorBoard's own reader keeps 10,000 unless told otherwise."""
    assert len(read_curve(put(tmp_path / NAME, event_file([(s, {"loss": 3.0}) for s in range(10_001)])))) == 10_001


def test_other_axes_are_joined_by_step(tmp_path):
    points = [(s, {"train/loss": 1 + 1 / (s + 1), "lr": 0.5, "tokens": 8.0 * s}) for s in range(300)]
    curve = read_curve(put(tmp_path / NAME, event_file(points)))
    np.testing.assert_array_equal(curve.tokens, 8 * curve.step)
    np.testing.assert_array_equal(curve.lr, 0.5)
    assert curve.cleaning == ()


def test_scalars_as_tensors(tmp_path):
    as_content = field(1, 1) + field(4, struct.pack("<f", 3.5))
    as_list = field(1, 1) + field(5, struct.pack("<f", 2.25))
    half = field(1, 19) + field(4, struct.pack("<e", 2.0))
    vector = field(1, 1) + field(2, field(2, field(1, 2))) + field(4, struct.pack("<2f", 1.0, 1.0))
    tensors = [as_content, as_list, half, vector]
    data = b"".join(event(k + 1, field(1, "loss") + field(8, tensor)) for k, tensor in enumerate(tensors))
    np.testing.assert_array_equal(read_curve(put(tmp_path / NAME, data)).loss, [3.5, 2.25, 2.0])


def test_files_of_a_restarted_run_are_read_in_order(tmp_path):
    first = event_file([(s, {"loss": 3.0}) for s in range(1, 601)])
    second = event_file([(s, {"loss": 2.0}) for s in range(401, 901)])
    put(tmp_path / "events.out.tfevents.1700000000.host.1.0", first)
    put(tmp_path / "events.out.tfevents.1700009999.host.1.0", second)
    curve = read_curve(tmp_path)
    assert len(curve) == 900
    assert (curve.loss[399], curve.loss[400]) == (3.0, 2.0)
    assert curve.cleaning == (
        "2 event files of one folder read one after the other, by the time in their names",
        "resumed once (step 600 to 401): 200 rows dropped, the last of each step kept",
    )


def test_runs_in_folders_of_their_own_are_not_mixed(tmp_path):
    for name in ("train", "validation"):
        put(tmp_path / name / NAME, EVENT_FILE)
    with pytest.raises(InputError, match=r"2 runs in it \('train/events.*', 'validation/events.*'\)\. Name one"):
        read_curve(tmp_path)
    assert len(read_curve(tmp_path / "train")) == 2


def test_two_losses_are_not_guessed(tmp_path):
    path = put(tmp_path / NAME, event_file([(1, {"loss": 3.0, "train/loss": 2.0})]))
    with pytest.raises(InputError, match="the loss could be any of 'loss', 'train/loss'"):
        read_curve(path)
    assert read_curve(path, loss="train/loss").loss[0] == 2.0


def test_tag_called_step_does_not_hide_the_events_step(tmp_path):
    path = put(tmp_path / NAME, event_file([(7, {"loss": 3.0, "step": 70.0})]))
    assert read_curve(path).step[0] == 70  # the tag is what the trainer called its step
    assert read_curve(path, step="event step").step[0] == 7


@pytest.mark.parametrize("cut", [1, 4, 20, 40])
def test_cut_off_file_loses_its_last_record_aloud(tmp_path, cut):
    curve = read_curve(put(tmp_path / NAME, EVENT_FILE[:-cut]))
    np.testing.assert_array_equal(curve.step, [1])
    assert curve.cleaning == (f"{NAME}: the last record is cut off and was dropped",)


def test_damaged_record_is_dropped_and_counted(tmp_path):
    good, bad = event(1, simple("loss", 3.0)), bytearray(event(2, simple("loss", 9.0)))
    bad[-6] ^= 1
    curve = read_curve(put(tmp_path / NAME, good + bytes(bad) + event(3, simple("loss", 2.0))))
    np.testing.assert_array_equal(curve.loss, [3, 2])
    assert curve.cleaning == ("1 damaged records dropped",)


def test_after_a_damaged_length_nothing_is_read(tmp_path):
    good, bad = event(1, simple("loss", 3.0)), bytearray(event(2, simple("loss", 9.0)))
    bad[0] ^= 1
    curve = read_curve(put(tmp_path / NAME, good + bytes(bad)))
    assert curve.cleaning == (f"{NAME}: damaged at byte {len(good)} of {len(good + bad)}; what follows was dropped",)


@pytest.mark.parametrize("data", [record(b"\xff" * 30), record(b""), event_file([])])
def test_no_scalars(tmp_path, data):
    with pytest.raises(InputError, match="no scalars"):
        read_curve(put(tmp_path / NAME, data))


def test_tensorboards_own_writer_and_reader(tmp_path):
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="compares with tensorboard's own reader"
    )
    tensorboard = pytest.importorskip("torch.utils.tensorboard", reason="torch writes the file")
    rng = np.random.default_rng(0)
    with tensorboard.SummaryWriter(tmp_path) as writer:
        for step in range(100):
            writer.add_scalar("train/loss", rng.random(), step)
            writer.add_scalar("train/learning_rate", 1e-3, step)
            writer.add_histogram("weights", rng.random(50), step)
            writer.add_text("note", "x", step)
    curve = read_curve(tmp_path)
    oracle = accumulator.EventAccumulator(str(tmp_path), size_guidance={"scalars": 0}).Reload().Scalars("train/loss")
    np.testing.assert_array_equal(curve.step, [point.step for point in oracle])
    np.testing.assert_array_equal(curve.loss, [point.value for point in oracle])
    np.testing.assert_array_equal(curve.lr, np.float32(1e-3))
