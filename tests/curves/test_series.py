"""Several series in one log: which rows are read, what is said, and what is refused. Random ones: test_series_logs."""

import json

import numpy as np
import pytest
from written import put

from zerosum.curves import read_curve
from zerosum.errors import InputError

STEPS = np.arange(100, 1_300, 100)
LOSSES = np.round(6.0 * (STEPS / 100.0) ** -0.2, 4)


def table(*columns: str, rows) -> str:
    return "\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows), ""])


def two(column: str, first: object, second: object, factor: float = 1.1) -> str:
    """The curve under one label, and a higher one under another, row by row."""
    rows = [
        (s, label, round(y * k, 4))
        for s, y in zip(STEPS, LOSSES, strict=True)
        for label, k in ((first, 1), (second, factor))
    ]
    return table("step", column, "loss", rows=rows)


@pytest.mark.parametrize(
    ("column", "training", "other"),
    [
        ("split", "train", "val"),
        ("Type", "Training", "Validation"),
        ("event", "train_step", "eval"),
        ("mode", "", "test"),
        ("whatever", "train", "dev"),
        ("is_train", "True", "False"),
        ("validation", "0", "1"),
    ],
)
def test_training_rows_are_read_and_it_is_said(tmp_path, column, training, other):
    curve = read_curve(put(tmp_path / "a.csv", two(column, training, other)))
    np.testing.assert_array_equal(curve.step, STEPS)
    np.testing.assert_array_equal(curve.loss, LOSSES)
    (note,) = curve.cleaning
    assert note.code == "series-chosen"
    assert "12 rows" in note
    assert "left out" in note


def test_rows_of_validation_alone_are_refused_unless_asked_for(tmp_path):
    path = put(tmp_path / "a.csv", table("step", "split", "loss", rows=[(s, "val", 3.0) for s in STEPS]))
    with pytest.raises(InputError, match=r"no training losses in it: 'split' is 'val' in every row.*--where split=val"):
        read_curve(path)
    assert len(read_curve(path, where={"split": "val"})) == len(STEPS)


@pytest.mark.parametrize(("column", "labels"), [("model", "ab"), ("seed", (0, 1)), ("colour", ("red", "blue"))])
@pytest.mark.parametrize("stacked", [True, False])
def test_several_runs_are_refused_by_name_and_can_be_chosen(tmp_path, column, labels, stacked):
    lines = two(column, *labels).splitlines()
    body = sorted(lines[1:], key=lambda line: line.split(",")[1]) if stacked else lines[1:]
    path = put(tmp_path / "a.csv", "\n".join([lines[0], *body, ""]))
    with pytest.raises(InputError, match=rf"2 runs in it \('{column}': .*12 rows.*--where {column}=") as refused:
        read_curve(path)
    assert all(str(label) in str(refused.value) for label in labels)
    curve = read_curve(path, where={column: str(labels[0])})
    np.testing.assert_array_equal(curve.loss, LOSSES)


def test_where_names_what_is_there(tmp_path):
    path = put(tmp_path / "a.csv", two("model", "small", "large"))
    with pytest.raises(InputError, match="no column 'modle' to choose rows by; there are 'step', 'model', 'loss'"):
        read_curve(path, where={"modle": "small"})
    with pytest.raises(InputError, match="no row with 'model' 'tiny'; there are 'small', 'large'"):
        read_curve(path, where={"model": "tiny"})
    log = put(tmp_path / "b.log", "iter 1: loss 3.5, time 1ms\niter 2: loss 3.4, time 1ms\n")
    with pytest.raises(InputError, match="a log without columns of labels"):
        read_curve(log, where={"model": "small"})


def test_a_label_that_changes_when_a_run_is_resumed_is_no_other_run(tmp_path):
    order = [*range(8), *range(6, 12)]
    rows = [(STEPS[k], "job-1" if at < 8 else "job-2", LOSSES[k]) for at, k in enumerate(order)]
    curve = read_curve(put(tmp_path / "a.csv", table("step", "job_id", "loss", rows=rows)))
    np.testing.assert_array_equal(curve.loss, LOSSES)


def test_ranks_are_averaged(tmp_path):
    rows = [(s, rank, round(y + rank, 4)) for s, y in zip(STEPS, LOSSES, strict=True) for rank in (0, 1, 2)]
    curve = read_curve(put(tmp_path / "a.csv", table("step", "rank", "loss", rows=rows)))
    np.testing.assert_allclose(curve.loss, LOSSES + 1, rtol=1e-12)
    assert curve.cleaning_codes == ("ranks-averaged",)
    assert "3 ranks ('rank')" in curve.cleaning[0]


def test_long_form(tmp_path):
    metrics = {"train_loss": 1.0, "val_loss": 1.1, "lr": 1e-4}
    rows = [(s, name, y * k) for s, y in zip(STEPS, LOSSES, strict=True) for name, k in metrics.items()]
    curve = read_curve(put(tmp_path / "a.csv", table("step", "metricName", "metricValue", rows=rows)))
    np.testing.assert_array_equal(curve.loss, LOSSES)
    np.testing.assert_allclose(curve.lr, LOSSES * 1e-4)
    assert "not used: 'val_loss'" in curve.cleaning[0]


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        (("Name", "State", "iter", "loss"), lambda k: (f"run-{k}", "finished", 5_000, 3 - k / 100)),
        (("Name", "State", "iter", "loss"), lambda k: (f"run-{k}", "crashed", 100 * k + 7, 3 - k / 100)),
        (("run", "step", "loss"), lambda k: (f"run-{k}", (k * 7) % 10, 3 - k / 100)),
        (("lr_max", "step", "loss"), lambda k: (k / 1000, 5_000, 3 - k / 100)),
    ],
)
def test_a_table_of_finished_runs_is_no_history(tmp_path, columns, row):
    path = put(tmp_path / "a.csv", table(*columns, rows=[row(k) for k in range(10)]))
    with pytest.raises(InputError, match="a table of finished runs, not the history of one"):
        read_curve(path)


def test_several_losses_at_most_steps_that_nothing_tells_apart(tmp_path):
    rows = [(s, y * k) for s, y in zip(STEPS, LOSSES, strict=True) for k in (1, 1.1)]
    path = put(tmp_path / "a.csv", table("step", "loss", rows=rows))
    with pytest.raises(InputError, match=r"12 of 12 steps have several losses \(step 100: 6 and 6.6\).*--on-repeat"):
        read_curve(path)
    for which, factor in (("first", 1), ("last", 1.1), ("mean", 1.05)):
        np.testing.assert_allclose(read_curve(path, on_repeat=which).loss, LOSSES * factor, rtol=1e-12)


def test_tag_of_a_tensorboard_export(tmp_path):
    text = table("Wall time", "Step", "Value", rows=[(1.7e9 + k, s, 3.0) for k, s in enumerate(STEPS)])
    for tag in ("train_learning_rate", "val_loss", "train_accuracy", "train_ppl", "grad_norm", "loss_scale"):
        path = put(tmp_path / f"run-a-tag-{tag}.csv", text)
        with pytest.raises(InputError, match=f"the tag in the file's name, '{tag}', is no training loss"):
            read_curve(path)
        assert len(read_curve(path, loss="Value")) == len(STEPS)
    for tag in ("train_loss", "Loss_train", "loss", "reduced_train_loss"):
        curve = read_curve(put(tmp_path / f"run-a-tag-{tag}.csv", text))
        assert tag in curve.cleaning[0]


def test_runs_that_differ_in_their_rate(tmp_path):
    with pytest.raises(InputError, match=r"2 runs in it \('lr'.*--where lr=0.001"):
        read_curve(put(tmp_path / "a.csv", two("lr", 0.001, 0.0003)))


def test_metrics_in_a_box_of_their_own(tmp_path):
    rows = [{"step": int(s), "metrics": {"loss": y}} for s, y in zip(STEPS, LOSSES.tolist(), strict=True)]
    curve = read_curve(put(tmp_path / "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows)))
    np.testing.assert_array_equal(curve.loss, LOSSES)
