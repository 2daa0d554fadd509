"""Losses without steps: counted where nothing else can be the step, and said; JSON shapes and bare numbers."""

import json

import numpy as np
import pytest
from written import put

from zerosum.curves import read_curve
from zerosum.errors import InputError

LOSSES = [8.25, 7.5, 6.125, 5.0625, 4.5, 3.25]
VAL = [loss + 0.1 for loss in LOSSES]
STEPS = [10, 20, 30, 40, 50, 60]
ROWS = [{"step": step, "loss": loss} for step, loss in zip(STEPS, LOSSES, strict=True)]


@pytest.fixture
def write(tmp_path):
    return lambda content, name="log.json": put(
        tmp_path / name, content if isinstance(content, str) else json.dumps(content)
    )


COUNTED = {
    "a list": LOSSES,
    "lists": {"train": LOSSES, "val": VAL},
    "lists with tokens": {
        "train_losses": LOSSES,
        "val_losses": VAL[:3],
        "track_tokens_seen": [1000 * k for k in range(6)],
    },
    "rows": [{"loss": loss, "lr": 0.1} for loss in LOSSES],
    "epochs": [{"loss": loss, "epoch": round(0.333 * k, 2)} for k, loss in enumerate(LOSSES)],
    "a column": "".join(f"{loss}\n" for loss in LOSSES),
    "a named column": "# run 7\ntrain_loss\n" + "".join(f"{loss:e}\n" for loss in LOSSES),
    "a table": "loss,val_loss,seconds\n" + "".join(f"{loss},1,0.5\n" for loss in LOSSES),
}


@pytest.mark.parametrize("kind", COUNTED)
def test_losses_are_counted_and_it_is_said(write, kind):
    path = write(COUNTED[kind], "log.csv" if "table" in kind else "log")
    curve = read_curve(path)
    np.testing.assert_array_equal(curve.step, [1, 2, 3, 4, 5, 6])
    np.testing.assert_array_equal(curve.loss, LOSSES)
    assert "steps-counted" in curve.cleaning_codes
    assert any("no steps in it: the 6 losses were counted 1 to 6" in note for note in curve.cleaning)
    np.testing.assert_array_equal(read_curve(path, every=50).step, [50, 100, 150, 200, 250, 300])


def test_tokens_of_counted_losses(write):
    np.testing.assert_array_equal(read_curve(write(COUNTED["lists with tokens"])).tokens, np.arange(6) * 1000)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x,loss\n10,3.5\n20,3.25\n25,3\n", "no column is known as the step; there are 'x', 'loss'.* every=N"),
        ("tokens,loss\n10,3.5\n100,3.25\n1000,3\n", "say step=tokens"),
        ("epoch,loss\n0.1,3.5\n0.2,3.25\n3.0,3\n", "no column is known as the step"),
        ("loss,val_loss\n3.5,\n,3.6\n3.25,\n", "no column is known as the step"),
        ("loss,nll\n3.5,1\n", "no column is known as the step"),
        ("1\n2\n3\n", r"bare whole numbers \(1, \.\.\.\) are no losses"),
        ([5, 6, 7], r"bare whole numbers \(5, \.\.\.\) are no losses"),
        ([0.001, 0.002, 0.003], "bare numbers that do not fall .* say loss=loss"),
        ("0.1\n0.2\n0.35\n", "bare numbers that do not fall"),
        ("perplexity\n3.5\n3.25\n", "no column is known as the"),
    ],
)
def test_what_is_not_counted(write, content, message):
    with pytest.raises(InputError, match=message) as error:
        read_curve(write(content, "log"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["i", "ksteps", "t", "steps/1000"])
@pytest.mark.parametrize("validated", [False, True])
def test_a_counter_of_any_name_is_not_passed_over(write, name, validated):
    """Rows of validation repeat its values; in thousands it is no whole number; a restart goes back once."""
    unit = 1000 if "1000" in name or name == "ksteps" else 1
    rows = [{name: 250 * k / unit, "kind": "train", "loss": 6.0 - 0.1 * k} for k in range(1, 31)]
    if validated and unit == 1:
        rows = [row for k, row in enumerate(rows) for row in ([row, row | {"kind": "val"}] if k % 5 == 4 else [row])]
        rows = rows[:20] + rows[17:]
    with pytest.raises(InputError, match="no column is known as the step"):
        read_curve(write("".join(json.dumps(row) + "\n" for row in rows), "log.jsonl"))


def test_every_ends_the_doubt_and_needs_a_log_without_steps(write):
    np.testing.assert_array_equal(
        read_curve(write("x,loss\n10,3.5\n20,3.25\n25,3\n", "a.csv"), every=5).step, [5, 10, 15]
    )
    with pytest.raises(InputError, match=r"the log has steps \('step'\), so they cannot be counted"):
        read_curve(write(ROWS), every=5)
    for wrong in (0, -1):
        with pytest.raises(InputError, match=f"every: {wrong} is not a whole number above 0"):
            read_curve(write(LOSSES), every=wrong)


def test_numbers_that_do_not_fall_are_losses_if_the_caller_says_so(write):
    np.testing.assert_array_equal(read_curve(write([0.5, 0.75, 0.875]), loss="loss").loss, [0.5, 0.75, 0.875])
    np.testing.assert_array_equal(read_curve(write("loss\n0.5\n0.75\n0.875\n", "a.txt")).loss, [0.5, 0.75, 0.875])


def test_nan_in_a_list_keeps_its_place(write):
    curve = read_curve(write("[8.5, NaN, 6.5, null, 5.5]"))
    np.testing.assert_array_equal(curve.step, [1, 3, 4])


def test_column_cut_off_in_its_last_number(write):
    curve = read_curve(write("8.2500\n7.5000\n6.12", "a.txt"))
    np.testing.assert_array_equal(curve.loss, [8.25, 7.5])
    assert curve.cleaning_codes[0] == "cut-off"


SHAPES = {
    "metrics inside": {"config": {"lr": 0.1}, "metrics": {"step": STEPS, "train_loss": LOSSES, "grad_norm": [1] * 6}},
    "rows inside": {"name": "a run", "history": ROWS},
    "training beside validation": {"train": ROWS, "valid": [{"step": 10, "loss": 9.0}, {"step": 20, "loss": 9.0}]},
    "object keyed by step": {str(row["step"]): {"loss": row["loss"]} for row in ROWS},
    "numbers keyed by step": {str(row["step"]): row["loss"] for row in ROWS},
    "metrics keyed by step": {"loss": {str(row["step"]): row["loss"] for row in ROWS}, "lr": {"10": 0.1, "20": 0.1}},
    "columns keyed by index": {
        "step": {str(k): row["step"] for k, row in enumerate(ROWS)},
        "loss": {str(k): row["loss"] for k, row in enumerate(ROWS)},
    },
}


@pytest.mark.parametrize("layout", [None, 1])
@pytest.mark.parametrize("kind", SHAPES)
def test_losses_one_level_down_or_keyed_by_step(write, kind, layout):
    curve = read_curve(write(json.dumps(SHAPES[kind], indent=layout)))
    np.testing.assert_array_equal(curve.step, STEPS)
    np.testing.assert_array_equal(curve.loss, LOSSES)
    assert "column-chosen" in curve.cleaning_codes or kind == "columns keyed by index"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"run a": {"step": STEPS, "loss": LOSSES}, "run b": {"step": STEPS, "loss": VAL}},
            "2 parts of it have losses",
        ),
        ({"val": LOSSES}, "no rows in it"),
        ([[10, 8.25], [20, 7.5]], "there are 'column 1', 'column 2'"),
        ([[10, 8.25], [20]], "no rows in it"),
        ({"loss": LOSSES, "step": STEPS[:3]}, "columns of different lengths"),
        ({"loss": [LOSSES, LOSSES]}, "no rows in it|no column|not a loss log"),
    ],
)
def test_shapes_that_are_not_clear(write, content, message):
    with pytest.raises(InputError, match=message) as error:
        read_curve(write(content))
    assert "\n" not in str(error.value)


def test_a_list_of_pairs_is_read_where_the_columns_are_named(write):
    curve = read_curve(write([[10, 8.25], [20, 7.5]]), step="column 1", loss="column 2")
    np.testing.assert_array_equal(curve.step, [10, 20])
