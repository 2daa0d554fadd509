"""JSON lines, as zerosum's own training and W&B-like loggers write them."""

import numpy as np
import pytest
from any_logs import lines

from zerosum.curves import read_curve
from zerosum.errors import InputError

ROWS = [{"step": s, "tokens_seen": 2_048 * (s + 1), "loss": 4.0 - 0.1 * s, "lr": 5e-4} for s in range(20)]


@pytest.fixture
def write(tmp_path):
    def write(text, name="metrics.jsonl"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        return path

    return write


def test_own_metrics(write, tmp_path):
    curve = read_curve(write(lines(ROWS)))
    assert curve.format == "jsonl"
    assert curve.name == tmp_path.name
    assert curve.cleaning == ()
    np.testing.assert_array_equal(curve.step, np.arange(20))
    np.testing.assert_allclose(curve.loss, 4.0 - 0.1 * np.arange(20))
    np.testing.assert_array_equal(curve.tokens, 2_048 * (1 + np.arange(20)))
    np.testing.assert_array_equal(curve.lr, np.full(20, 5e-4))


@pytest.mark.parametrize("cut", [1, 5, 20, 40])
def test_last_line_cut_off_by_a_kill_is_dropped_aloud(write, cut):
    text = lines(ROWS)
    curve = read_curve(write(text[: -1 - cut]))
    assert len(curve) == 19
    assert curve.cleaning == ("the last line (20) is cut off and was dropped",)


def test_bad_line_before_the_end_is_an_error(write):
    with pytest.raises(InputError, match=r"line 3 is not a JSON object \(Expecting value\)"):
        read_curve(write(lines(ROWS[:2]) + "oops\n" + lines(ROWS[2:])))


def test_nested_rows_have_dotted_names(write):
    curve = read_curve(
        write(lines([{"_step": 1, "train": {"nll": 3.0}}, {"_step": 2, "train": {"nll": 2.0}}])), loss="train.nll"
    )
    np.testing.assert_array_equal(curve.loss, [3, 2])


def test_rows_of_other_kinds_between(write):
    rows = [ROWS[0], {"step": 0, "eval_loss": 3.9}, ROWS[1], {"step": 1, "loss": None}, {"step": 2, "loss": "NaN"}]
    curve = read_curve(write(lines(rows)))
    np.testing.assert_allclose(curve.loss, [4.0, 3.9])
    assert curve.cleaning[0] == "3 rows without a loss (empty or NaN) dropped"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"step": 1, "lo', "no complete line of JSON"),
        ('{"step": 1}\n', "no column is known as the loss; there are 'step'"),
        ("{}\n", "there are none"),
        ('{"step": 1, "loss": ' + "9" * 400 + "}\n", "without a loss|infinite"),
        ('{"step": 1, "loss": ' + "[" * 100_000 + "\n", "no complete line of JSON"),
        ('{"step": true, "loss": true}\n', "1 of 1 values of 'loss' are not numbers"),
    ],
)
def test_files_that_are_no_curve(write, text, message):
    with pytest.raises(InputError, match=message) as error:
        read_curve(write(text))
    assert "\n" not in str(error.value)
