"""Untidy rows: what is dropped, what stays, what is said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerosum.curves import LossCurve, clean_curve
from zerosum.errors import InputError


def test_tidy_rows_stay_and_nothing_is_said():
    curve = clean_curve("a", [1, 2, 3], [3.0, 2.0, 1.0], tokens=[10, 20, 30], lr=[0.1, 0.1, 0.1])
    np.testing.assert_array_equal(curve.step, [1, 2, 3])
    np.testing.assert_array_equal(curve.tokens, [10, 20, 30])
    assert curve.cleaning == ()


def test_each_kind_of_unusable_row_is_counted():
    nan, inf = np.nan, np.inf
    step = [1, nan, 2, 3, 4, 5, -1, 6]
    loss = [5.0, 4.0, nan, nan, inf, -1.0, 3.0, 2.0]
    curve = clean_curve("a", step, loss)
    np.testing.assert_array_equal(curve.step, [1, 6])
    assert curve.cleaning == (
        "1 row without a step dropped",
        "1 row with a negative or infinite step dropped",
        "2 rows without a loss (empty or NaN) dropped",
        "1 row with an infinite loss dropped",
        "1 row with a loss that is not positive dropped",
    )
    assert curve.dropped == {
        "no step": 1,
        "step negative or infinite": 1,
        "no loss": 2,
        "loss infinite": 1,
        "loss not positive": 1,
    }
    assert len(curve) + sum(curve.dropped.values()) == len(step)


@pytest.mark.parametrize(("good", "bad", "refused"), [(5, 5, False), (5, 6, True), (1, 0, False)])
def test_mostly_non_positive_losses_are_no_cross_entropy(good, bad, refused):
    loss = [3.0] * good + [-1.0] * bad
    if not refused:
        assert clean_curve("a", range(good + bad), loss).dropped.get("loss not positive", 0) == bad
        return
    with pytest.raises(
        InputError, match=r"6 of 11 losses are not positive \(first: -1 at step 5\): not a cross-entropy"
    ):
        clean_curve("a", range(good + bad), loss)


def test_unsorted_rows_are_sorted():
    curve = clean_curve("a", [3, 1, 2], [1.0, 3.0, 2.0])
    np.testing.assert_array_equal(curve.loss, [3.0, 2.0, 1.0])
    assert curve.cleaning == ("sorted by step (it went back once)",)


def test_of_repeated_steps_the_last_stays():
    curve = clean_curve("a", [1, 2, 2, 3], [4.0, 3.0, 2.5, 2.0])
    np.testing.assert_array_equal(curve.loss, [4.0, 2.5, 2.0])
    assert curve.cleaning == ("1 row with a repeated step dropped, the last of each kept",)


def resumed():
    """Steps 1-600, a crash, and on from 401 to 900 with smaller losses."""
    return np.r_[1.0:601, 401:901], np.r_[np.full(600, 3.0), np.full(500, 2.0)]


@pytest.mark.parametrize(("keep", "at_500", "at_600"), [("last", 2.0, 2.0), ("first", 3.0, 3.0)])
def test_of_a_resumed_run_the_chosen_part_stays(keep, at_500, at_600):
    curve = clean_curve("a", *resumed(), on_resume=keep)
    np.testing.assert_array_equal(curve.step, np.arange(1.0, 901))
    assert (curve.loss[499], curve.loss[599], curve.loss[600]) == (at_500, at_600, 2.0)
    assert curve.cleaning == (f"resumed once (step 600 to 401): 200 rows dropped, the {keep} of each step kept",)
    assert curve.dropped == {"trained twice": 200}


def test_resume_can_be_refused():
    with pytest.raises(InputError, match=r"step goes back from 600 to 401 at row 601 \(a resumed run\?\)"):
        clean_curve("a", *resumed(), on_resume="error")


def test_discarded_branch_is_dropped_even_where_the_later_part_logs_other_steps():
    step, loss = np.r_[1.0:601, 400.5:901], np.r_[np.full(600, 3.0), np.full(501, 2.0)]
    curve = clean_curve("a", step, loss)
    assert (curve.loss[curve.step > 400] == 2.0).all()


def test_one_stray_row_does_not_cut_off_the_run():
    curve = clean_curve("a", np.r_[1.0:1_001, 0], np.r_[np.full(1_000, 3.0), 9.0])
    assert len(curve) == 1_001


def test_learning_rate_with_gaps_is_left_out_aloud():
    curve = clean_curve("a", [1, 2, 3], [3.0, 2.0, 1.0], lr=[0.1, np.nan, 0.1])
    assert curve.lr is None
    assert curve.cleaning == ("lr left out: missing in 1 of 3 rows",)


def test_nothing_left_is_an_error_that_says_why():
    with pytest.raises(InputError, match=r"a: no row has a step and a positive, finite loss \(2 rows without a loss"):
        clean_curve("a", [1, 2], [np.nan, np.nan])


def test_steps_that_no_run_reaches_are_refused():
    message = r"a: 1 of 3 rows with a step above 2\^53 \(first: 1e\+300\), which no run reaches"
    with pytest.raises(InputError, match=message):
        clean_curve("a", [1, 2, 1e300], [3.0, 2.0, 1.0])
    assert clean_curve("a", [1, 2, 2.0**53], [3.0, 2.0, 1.0]).step[-1] == 2.0**53


def test_lengths_must_agree():
    with pytest.raises(InputError, match="2 step, 3 loss"):
        clean_curve("a", [1, 2], [1.0, 2.0, 3.0])


numbers = st.floats(allow_nan=True, allow_infinity=True, width=32)


@given(st.lists(st.tuples(numbers, numbers), max_size=60))
def test_any_rows_give_a_curve_or_an_error(rows):
    step, loss = ([row[k] for row in rows] for k in (0, 1))
    if any(2.0**53 < s < np.inf for s in step):
        with pytest.raises(InputError, match="above 2\\^53"):
            clean_curve("a", step, loss)
        return
    usable = [(s, y) for s, y in rows if np.isfinite([s, y]).all() and s >= 0 and y > 0]
    losses = [y for s, y in rows if np.isfinite([s, y]).all() and s >= 0]
    if not usable:
        with pytest.raises(InputError):
            clean_curve("a", step, loss)
        return
    if 2 * len(usable) < len(losses):  # too few are left, unless the others are zeros at the end of a run that diverged
        try:
            assert "diverged" in clean_curve("a", step, loss, on_repeat="last").cleaning_codes
        except InputError:
            return
    curve = clean_curve("a", step, loss, on_repeat="last")
    assert (np.diff(curve.step) > 0).all()
    if {"several-jobs", "steps-continued"} & set(curve.cleaning_codes):  # test_restarts has these
        assert set(curve.loss) <= {y for _, y in usable}
        return
    assert set(zip(curve.step, curve.loss, strict=True)) <= set(usable)
    assert set(curve.step) == {s for s, _ in usable}


@pytest.mark.parametrize(
    ("step", "loss", "message"),
    [
        ([], [], "no points"),
        ([1.0, 2.0], [1.0], "2 steps but 1 losses"),
        ([1.0], [np.nan], "not finite"),
        ([1.0], [0.0], "1 losses are not positive"),
        ([2.0, 1.0], [1.0, 1.0], "steps go back"),
    ],
)
def test_a_curve_cannot_be_made_of_contradictions(step, loss, message):
    # The class itself is checked, as users meet it: without the run-time shape checks of the test suite.
    make = getattr(LossCurve.__post_init__, "__wrapped__", LossCurve.__post_init__)
    curve = object.__new__(LossCurve)
    for name, value in {"name": "a", "step": np.array(step), "loss": np.array(loss)}.items():
        object.__setattr__(curve, name, value)
    with pytest.raises(InputError, match=message):
        make(curve)
