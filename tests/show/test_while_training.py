"""The section on the live monitor: figure, tables and words of what it logged, and of one step of it."""

import csv
import io
from typing import get_args

import numpy as np
import pytest
from figure_checks import check_layout, check_legend, check_names

from zerosum.interference.labelled import OneStep, measure_changes
from zerosum.monitor.measured import Measured, pair
from zerosum.runs import LoggedStep, LoggedWarning, MonitorLog
from zerosum.show import folder
from zerosum.show.drawing import Layout
from zerosum.show.report import Report, Run
from zerosum.show.section import present
from zerosum.show.sections import while_training
from zerosum.show.table import as_csv

EVIL = "=cmd()<script>alert(1)</script>\x1b[2J"


def logged(step: int, N: float) -> LoggedStep:
    spans = ("step", "double") if step > 1 else ("step",)
    values = {"D": 0.9, "D_low": 0.85, "D_high": 0.93, "M": 0.1 / step, "null_unit": 0.95, "delta_L": -0.01, "N": N}
    row = {f"{name}_{span}": value for span in spans for name, value in values.items()}
    return LoggedStep(step, {**row, "harmful_share": 0.45, "loss": 4.0 - step / 100, "cost": 0.012})


@pytest.fixture(scope="module")
def log() -> MonitorLog:
    steps = [logged(2**k, 1_000 if k < 3 else 500) for k in range(8)]
    still = LoggedStep(256, {"M_step": 0.0, "D_step": np.nan, "N_step": 500}, "no-update")
    return MonitorLog((*steps, still), (LoggedWarning(9, "spike", EVIL),))


def report_on(log: MonitorLog) -> Report:
    return Report("a run", (Run("a run", (log,)),))


@pytest.mark.parametrize("layout", get_args(Layout))
def test_the_figure_is_whole(log: MonitorLog, layout: Layout) -> None:
    fig = while_training.plot(report_on(log), layout)
    check_layout(fig)
    check_legend(fig)
    check_names(fig)


def test_the_figure_draws_what_its_table_holds(log: MonitorLog) -> None:
    D, M, loss = while_training.plot(report_on(log)).axes
    rows = while_training.numbers(report_on(log))
    drawn = [line.get_ydata() for line in D.lines if line.get_linestyle() == "-"]
    for span, values in zip(while_training.SPANS, drawn, strict=True):
        np.testing.assert_array_equal(values, [row["D"] for row in rows if row["span"] == span])
    assert [row["N"] for row in rows if row["span"] == "double"] == [1_000, 1_000, 500, 500, 500, 500, 500]
    assert {row["step"] for row in rows} == {1, 2, 4, 8, 16, 32, 64, 128, 256}
    assert len(M.lines) == 2
    np.testing.assert_array_equal(loss.lines[0].get_ydata(), [4.0 - 2**k / 100 for k in range(8)])


def test_what_it_says(log: MonitorLog) -> None:
    said = " ".join(while_training.sentences(report_on(log)))
    assert "Step 256: D of the update is not defined: the update changed no loss." in said
    assert "at step 128: D is 0.900 [0.850,\xa00.930]" in said
    assert "N went from 500 to 1,000 tokens" in said
    assert "1.2\xa0% of training time" in said


def test_hostile_text_stays_text(log: MonitorLog, tmp_path, blank_figures) -> None:
    page = folder.write(report_on(log), tmp_path, {}).read_text()
    assert "<script>alert" not in page
    assert "\x1b" not in page + repr(log)
    (_, warnings) = while_training.tables(report_on(log))
    assert next(csv.DictReader(io.StringIO(as_csv(warnings))))["message"].startswith("'=cmd()")


def test_a_record_of_one_step_shows_itself() -> None:
    rng = np.random.default_rng(0)
    before, after = rng.normal(4, 1, (2, 24, 12))
    step = measure_changes(before, after)
    measured = Measured(64, 4.0, (OneStep(64, "heldout", step),), pair(32, 64, step), None, (24, 24), 0.01, {})
    assert "64" in repr(measured)
    assert len(repr(measured).splitlines()) <= 12
    table = measured.table()
    assert table["D"].tolist() == [step.measured.D] * 2
    assert table["N"].tolist() == [288, 288]
    assert step.measured.interval is not None
    assert (table["D_low"][0], table["D_high"][0]) == step.measured.interval.D
    check_layout(measured.plot())


def test_a_run_without_the_monitor_has_no_such_section() -> None:
    assert while_training.absent(Report("none", (Run("none", ()),))) == ""
    assert not present(Report("none", (Run("none", ()),)))
