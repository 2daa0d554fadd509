"""Digit grouping, decimal commas and words: read where only one reading is possible, refused with both otherwise."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from written import put

from zerosum.curves import read_curve
from zerosum.curves.numerals import Numerals
from zerosum.errors import InputError

STEPS = [1, 999, 1_000, 1_001, 12_345, 1_234_567]
LOSSES = [8.25, 7.5, 6.125, 5.0625, 4.5, 3.25]
GROUPED = {mark: [f"{step:,}".replace(",", mark) for step in STEPS] for mark in ",. '\u00a0\u202f\u2019"}


def table(tmp_path, steps, losses, delimiter):
    quoted = [f'"{step}"{delimiter}"{loss}"\n' for step, loss in zip(steps, losses, strict=True)]
    return put(tmp_path / "run.csv", f"step{delimiter}loss\n" + "".join(quoted))


@pytest.mark.parametrize("group", GROUPED)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_grouped_steps(tmp_path, group, delimiter):
    curve = read_curve(table(tmp_path, GROUPED[group], LOSSES, delimiter))
    np.testing.assert_array_equal(curve.step, STEPS)
    np.testing.assert_array_equal(curve.loss, LOSSES)
    assert [said for said in curve.cleaning if said.startswith("'step' has its digits in groups: ")] != []


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_decimal_commas(tmp_path, delimiter):
    losses = [str(loss).replace(".", ",") for loss in LOSSES]
    curve = read_curve(table(tmp_path, [1, 2, 3, 4, 5, 1_000], losses, delimiter))
    np.testing.assert_array_equal(curve.loss, LOSSES)
    assert curve.cleaning[0] == "'loss' has decimal commas: '8,25' is 8.25"


def test_decimal_commas_show_that_dots_group_the_steps(tmp_path):
    curve = read_curve(table(tmp_path, ["999", "1.000", "1.001"], ["3,5", "3,25", "3"], ";"))
    np.testing.assert_array_equal(curve.step, [999, 1_000, 1_001])


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("losses", [["3.5", "3.25", "3"], ["3", "2", "1"]], ids=["points", "whole"])
@pytest.mark.parametrize("steps", [["999", "1.000", "1.001"], ["1.000", "2.000", "3.000"], ["0", "1.000", "2.000"]])
def test_dotted_steps_that_could_be_fractions_are_refused(tmp_path, steps, losses, delimiter):
    both = r"'1\.000' in 'step' can be read as 1000 \(digits in groups\) or as 1 \(decimals\)"
    with pytest.raises(InputError, match=both):
        read_curve(table(tmp_path, steps, losses, delimiter))


def test_commas_in_steps_are_refused_where_commas_are_decimal_or_nothing_tells(tmp_path):
    for losses in (["3,5", "3,25", "3,1"], ["3", "2", "1"]):
        with pytest.raises(InputError, match="'1,000' in 'step' can be read as 1000"):
            read_curve(table(tmp_path, ["999", "1,000", "1,001"], losses, ";"))


@pytest.mark.parametrize("steps", [["0.000", "1.000"], ["1.0", "2.0"], ["0.5", "1.125"], ["1.000e+00", "1.001e+03"]])
def test_fractions_that_are_no_groups(tmp_path, steps):
    np.testing.assert_array_equal(read_curve(table(tmp_path, steps, [3, 2], ",")).step, [float(s) for s in steps])


def test_grouped_steps_and_words_in_json_lines(tmp_path):
    rows = [{"step": f"{step:,}", "loss": 2.5, "lr": "none"} for step in range(900, 1_100)]
    path = put(tmp_path / "run.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    np.testing.assert_array_equal(read_curve(path).step, np.arange(900, 1_100))
    bad = "".join(json.dumps(row | {"loss": [2.5] if k > 150 else 2.5}) + "\n" for k, row in enumerate(rows))
    with pytest.raises(
        InputError, match=r"49 of 200 values of 'loss' are not numbers \(first: '\[2\.5\]' in row 152\)"
    ):
        read_curve(put(path, bad))


def test_words_in_a_column_that_is_not_needed_leave_it_out(tmp_path):
    curve = read_curve(put(tmp_path / "a.csv", "step,loss,lr\n1,3,high\n2,2,low\n"))
    assert curve.lr is None
    assert curve.cleaning == ("2 values of 'lr' not a number (first: 'high')", "lr left out: missing in 2 of 2 rows")


counts = st.lists(st.integers(1, 10**12), min_size=1).filter(lambda values: max(values) >= 1_000)


@given(counts, st.sampled_from(",.' "))
def test_any_grouped_counts_are_read_when_the_decimal_mark_is_known(values, group):
    said = []
    numerals = Numerals("a", said, comma=True, decimal="," if group == "." else ".")
    texts = [f"{value:,}".replace(",", group) for value in values]
    np.testing.assert_array_equal(numerals.read("step", "step", texts), values)
    assert len(said) == 1


@given(st.lists(st.floats(0.0, 1e9).map(repr), min_size=1))
def test_plain_losses_are_read_as_python_reads_them(texts):
    said = []
    np.testing.assert_array_equal(Numerals("a", said).read("loss", "loss", texts), [float(text) for text in texts])
    assert said == []
