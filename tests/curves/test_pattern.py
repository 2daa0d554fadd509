"""Text logs read by the caller's own pattern."""

import numpy as np
import pytest
from written import put

from zerosum.curves import read_curve
from zerosum.errors import InputError

LOG = "".join(f"<{s:,}> ce~{5 - s / 1e4:.4f} eta~{s / 1e7:.1e} seen~{s}K\n" for s in range(500, 6_500, 500))


def test_groups_are_the_columns(tmp_path):
    pattern = r"<(?P<step>[\d,]+)> ce~(?P<loss>\S+) eta~(?P<lr>\S+) seen~(?P<tokens>\S+)"
    curve = read_curve(put(tmp_path / "run.log", LOG), pattern=pattern)
    np.testing.assert_array_equal(curve.step, np.arange(500, 6_500, 500))
    np.testing.assert_allclose(curve.loss, 5 - curve.step / 1e4, atol=1e-4)
    np.testing.assert_allclose(curve.lr, curve.step / 1e7, rtol=0.05)
    np.testing.assert_array_equal(curve.tokens, curve.step * 1_000)
    assert curve.format == "text pattern"
    assert curve.cleaning[0].startswith(r"12 losses of lines that match the pattern <(?P<step>[\d,]+)> ce~")


def test_a_pattern_goes_before_the_format(tmp_path):
    path = put(tmp_path / "run.csv", "step,loss,other\n1,3,5\n2,2,4\n")
    assert read_curve(path, pattern=r"(?P<step>\d+),\d+,(?P<loss>\d+)").loss.tolist() == [5, 4]


def test_steps_above_their_losses_and_losses_without_steps(tmp_path):
    text = "".join(f"== {s} ==\nnll {5 - s / 100}\n" for s in range(10, 50, 10))
    path = put(tmp_path / "run.log", text)
    assert read_curve(path, pattern=r"== (?P<step>\d+)|nll (?P<loss>\S+)").step.tolist() == [10, 20, 30, 40]
    curve = read_curve(path, pattern=r"nll (?P<loss>\S+)", every=5)
    assert curve.step.tolist() == [5, 10, 15, 20]
    assert "steps-counted" in curve.cleaning_codes


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(?P<loss>", "is no regular expression"),
        (r"step (?P<step>\d+)", r"has no group called loss\. Write \(\?P<loss>"),
        (r"nothing (?P<loss>\d+)", "finds no loss in it, line by line"),
        (r"ce(?P<loss>~)", r"12 of 12 values of 'loss' are not numbers"),
        ("(?P<loss>a{99999999999})", "is no regular expression"),
    ],
)
def test_wrong_patterns_are_refused_in_one_line(tmp_path, pattern, message):
    with pytest.raises(InputError, match=message) as error:
        read_curve(put(tmp_path / "run.log", LOG), pattern=pattern)
    assert "\n" not in str(error.value)
