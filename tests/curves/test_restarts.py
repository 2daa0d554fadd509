"""Counters that start again, jobs one after the other, parts of a run in several files, and runs that diverged."""

import numpy as np
import pytest
from written import put

from zerosum.curves import clean_curve, join_curves, read_curve
from zerosum.errors import InputError

STEPS = np.arange(0.0, 1_200, 20)
LOSSES = 4.0 * ((STEPS + 20) / 1_200) ** -0.2


def test_steps_of_earlier_epochs_are_added():
    within, epoch = np.tile(STEPS[:15], 4), np.repeat([0, 1, 2, 3], 15)
    curve = clean_curve("a", within, LOSSES, epoch=epoch)
    np.testing.assert_array_equal(curve.step, STEPS)
    np.testing.assert_array_equal(curve.loss, LOSSES)
    assert curve.cleaning_codes == ("steps-of-epochs",)
    assert "4 epochs" in curve.cleaning[0]
    assert "300 an epoch" in curve.cleaning[0]


def test_steps_that_go_on_over_epochs_stay():
    curve = clean_curve("a", STEPS, LOSSES, epoch=np.repeat([1, 2, 3, 4], 15))
    assert (curve.step == STEPS).all()
    assert curve.cleaning == ()
    assert clean_curve("a", STEPS, LOSSES, epoch=STEPS / 300).cleaning == ()


def test_length_of_an_epoch_is_the_total_that_the_log_names():
    within, epoch = np.tile(STEPS[:15], 4), np.repeat([1, 2, 3, 4], 15)
    curve = clean_curve("a", within, LOSSES, epoch=epoch, total_steps=np.full(60, 290))
    np.testing.assert_array_equal(np.diff(curve.step)[[13, 14, 15]], [20, 10, 20])


def test_counter_that_starts_again_while_the_loss_goes_on():
    curve = clean_curve("a", np.tile(STEPS[:30], 2), LOSSES, tokens=np.tile(STEPS[:30], 2) * 512)
    np.testing.assert_array_equal(curve.step, STEPS)
    assert curve.cleaning_codes == ("steps-continued", "tokens-left-out")
    assert "starts again once" in curve.cleaning[0]


def base_then_fine_tuning():
    return np.r_[STEPS, STEPS[:20]], np.r_[LOSSES, np.linspace(1.2, 1.1, 20)]


def test_longest_job_is_read_and_the_others_are_named():
    step, loss = base_then_fine_tuning()
    curve = clean_curve("a", step, loss)
    np.testing.assert_array_equal(curve.loss, LOSSES)
    (note,) = curve.cleaning
    assert note.code == "several-jobs"
    assert "job 2, steps 0 to 380, loss 1.2 to 1.1" in note
    assert curve.dropped == {"other job": 20}
    np.testing.assert_array_equal(clean_curve("a", step, loss, job=2).loss, np.linspace(1.2, 1.1, 20))
    with pytest.raises(InputError, match="no job 3; the number of jobs in it is 2"):
        clean_curve("a", step, loss, job=3)
    with pytest.raises(InputError, match="no job 2; the number of jobs in it is 1"):
        clean_curve("a", STEPS, LOSSES, job=2)


def test_another_total_is_another_job_even_where_the_loss_goes_on():
    total = np.repeat([600.0, np.nan], 30)
    curve = clean_curve("a", np.tile(STEPS[:30], 2), LOSSES, total_steps=total)
    np.testing.assert_array_equal(curve.loss, LOSSES[:30])
    assert "several-jobs" in curve.cleaning_codes


def test_a_run_begun_again_is_read_where_it_got_furthest():
    again = np.r_[STEPS[:30], STEPS], np.r_[LOSSES[:30] * 1.001, LOSSES]
    np.testing.assert_array_equal(clean_curve("a", *again).loss, LOSSES)
    stopped_early = np.r_[STEPS, STEPS[:30]], np.r_[LOSSES, LOSSES[:30] * 1.001]
    np.testing.assert_array_equal(clean_curve("a", *stopped_early).loss, LOSSES)


def test_parts_of_a_run_in_several_files(tmp_path):
    def part(name, rows, step=STEPS):
        lines = [f"{s},{y!r}" for s, y in zip(step[rows].tolist(), LOSSES[rows].tolist(), strict=True)]
        return read_curve(put(tmp_path / f"{name}.csv", "\n".join(["step,loss", *lines, ""])))

    first, second = part("a", slice(0, 35)), part("b", slice(30, 60))
    for parts in ((first, second), (second, first)):
        curve = join_curves(parts)
        np.testing.assert_array_equal(curve.step, STEPS)
        np.testing.assert_array_equal(curve.loss, LOSSES)
        assert {"joined-files", "trained-twice"} <= set(curve.cleaning_codes)
    reset = part("c", slice(30, 60), STEPS - STEPS[30])
    np.testing.assert_array_equal(join_curves([part("d", slice(0, 30)), reset]).step, STEPS)
    other = clean_curve("e", STEPS[:30], np.full(30, 1.0))
    with pytest.raises(InputError, match="not the parts of one run"):
        join_curves([first, other])
    with pytest.raises(InputError, match="no curves"):
        join_curves([])


@pytest.mark.parametrize(("value", "kind"), [(np.nan, "not finite"), (np.inf, "not finite"), (0.0, "0")])
def test_a_run_that_diverged_is_said_to_have(value, kind):
    loss = np.r_[LOSSES[:40], np.full(20, value)]
    curve = clean_curve("a", STEPS, loss)
    assert len(curve) == 40
    assert curve.cleaning == (f"the run diverged: from step 800 to the end, step 1180, the loss is {kind}",)
    assert curve.cleaning_codes == ("diverged",)
    assert curve.dropped == {"diverged": 20}


def test_empty_cells_are_no_divergence():
    loss = np.where(np.arange(60) % 5 == 0, LOSSES, np.nan)
    assert "diverged" not in clean_curve("a", STEPS, loss).cleaning_codes
    recovered = np.r_[LOSSES[:30], np.full(10, np.nan), LOSSES[40:]]
    assert "diverged" not in clean_curve("a", STEPS, recovered).cleaning_codes


def test_one_row_of_the_last_epoch():
    steps = np.arange(10.0, 610, 10)
    curve = clean_curve("a", steps % 200, 6 * (steps / 10) ** -0.2)
    np.testing.assert_array_equal(curve.step, steps)
