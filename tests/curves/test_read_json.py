"""Hugging Face's trainer state, Megatron's golden values, and plain JSON tables."""

import json

import numpy as np
import pytest
from written import put

from zerosum.curves import read_curve
from zerosum.errors import InputError


def state(last, **more):
    rows = [
        {"epoch": s / 100, "grad_norm": 1.0, "learning_rate": 1e-3, "loss": 4 - s / 100, "step": s}
        for s in range(10, last + 1, 10)
    ]
    rows.insert(3, {"epoch": 0.3, "eval_loss": 3.0, "step": 40})
    return {"global_step": last, "log_history": rows, "logging_steps": 10, "max_steps": 500} | more


def finished(last):
    whole = state(last)
    whole["log_history"].append({"epoch": 1.0, "step": last, "train_loss": 3.2, "train_runtime": 9.0})
    return whole


@pytest.fixture
def write(tmp_path):
    def write(content, name="a.json"):
        return put(tmp_path / name, content if isinstance(content, bytes | str) else json.dumps(content, indent=2))

    return write


def test_trainer_state(write, tmp_path):
    curve = read_curve(write(finished(100), "trainer_state.json"))
    np.testing.assert_array_equal(curve.step, np.arange(10, 101, 10))
    np.testing.assert_array_equal(curve.loss, 4 - np.arange(10, 101, 10) / 100)
    np.testing.assert_array_equal(curve.lr, 1e-3)
    assert (curve.name, curve.format) == (tmp_path.name, "trainer_state")
    assert curve.columns == {"step": "step", "loss": "loss", "lr": "learning_rate"}
    assert curve.cleaning == (
        "train_loss of the last row, an average over the whole run, was ignored",
        "each loss is a mean over the steps since the row before (logging_steps 10)",
        "2 rows without a loss (empty or NaN) dropped",
    )


@pytest.mark.parametrize("layout", [None, 2])
def test_content_decides_whatever_the_name(write, layout):
    text = json.dumps(state(100), sort_keys=True, indent=layout)
    assert read_curve(write(text, "x.txt")).format == "trainer_state"


def test_tokens_seen(write):
    whole = state(100)
    for row in whole["log_history"]:
        row["num_input_tokens_seen"] = row["step"] * 2_048
    np.testing.assert_array_equal(read_curve(write(whole)).tokens, 2_048 * np.arange(10.0, 101, 10))


def test_newest_checkpoint_of_an_output_folder(write, tmp_path):
    for last in (50, 100, 200):
        write(state(last), f"out/checkpoint-{last}/trainer_state.json")
    curve = read_curve(tmp_path / "out")
    assert (curve.name, curve.step[-1]) == ("out", 200)
    assert curve.source.endswith("out")
    assert curve.cleaning[0] == "the newest of 3 trainer_state.json was read: checkpoint-200/trainer_state.json"
    write(finished(200), "out/trainer_state.json")
    assert "average" in read_curve(tmp_path / "out").cleaning[1]
    write(finished(150), "out/trainer_state.json")  # left by an earlier training
    assert read_curve(tmp_path / "out").step[-1] == 200
    assert read_curve(tmp_path / "out" / "checkpoint-50").step[-1] == 50


def golden(values, **more):
    return {"lm loss": {"start_step": 1, "end_step": 9, "step_interval": 1, "values": values} | more}


def test_golden_values_with_nan_and_gaps(write):
    curve = read_curve(write(golden({"1": 10.8, "2": "nan", "10": 9.5, "5": 10.1})))
    np.testing.assert_array_equal(curve.step, [1, 5, 10])
    np.testing.assert_array_equal(curve.loss, [10.8, 10.1, 9.5])
    assert curve.format == "megatron golden values"
    assert curve.cleaning == ("1 row without a loss (empty or NaN) dropped",)


def test_golden_values_as_a_list(write):
    curve = read_curve(write(golden([10.8, 10.5, 10.2], start_step=0, step_interval=5)))
    np.testing.assert_array_equal(curve.step, [0, 5, 10])


@pytest.mark.parametrize("layout", [None, 4])
def test_golden_values_on_one_line_are_not_json_lines(write, layout):
    text = json.dumps(golden({"1": 10.8}) | {"num-zeros": golden({"1": 5.0})["lm loss"]}, indent=layout)
    assert read_curve(write(text)).columns == {"step": "step", "loss": "lm loss"}


def test_rows_and_columns(write):
    rows = read_curve(write([{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0}, {"eval": 1}]))
    columns = read_curve(write(json.dumps({"step": [1, 2], "loss": [3.0, 2.0], "run": "a", "x": [1]})))
    for curve in (rows, columns):
        np.testing.assert_array_equal(curve.loss, [3, 2])
        assert curve.format == "json"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"log_history": [{"step": 1, "lo', r"not complete JSON \(Unterminated string"),
        ('{"log_history": {"step": 1}}', "no log_history list"),
        ('{"log_history": []}', "log_history has no rows"),
        ('{"log_history": [1, null]}', "log_history has no rows"),
        ('{"log_history": ' + "[" * 100_000, "nested too deeply"),
        ('{"log_history": [' + "9" * 5_000 + "]}", "too many digits"),
        ('{"lm loss": {"values": 3, "start_step": 1}}', "no metric with values"),
        (golden({"one": 3.0}), "'one' in 'lm loss' is not a step"),
        (golden([3.0], start_step=None), "without start_step"),
        (golden([3.0], step_interval="1e999"), "without start_step"),
        (golden({}), "no column is known as the step|no column is known as the loss"),
        ({"step": [1, 2], "loss": [3.0]}, "columns of different lengths"),
        ({"step": [], "loss": []}, "no row has a step"),
        ([{"loss": 3.0}], "no column is known as the step"),
        ([[{"loss": 3.0}]], "not a loss log|no rows in it"),
        ("[{}, 7]", "no column is known as the step; there are none"),
    ],
)
def test_files_that_are_no_curve(write, content, message):
    with pytest.raises(InputError, match=message) as error:
        read_curve(write(content))
    assert "\n" not in str(error.value)
