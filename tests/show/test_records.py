"""Fits, analyses and comparisons show themselves: printed in a dozen lines, as a table, as a figure."""

import subprocess
import sys

import pytest
from matplotlib.figure import Figure
from simulated_logs import analyses_of, curve_of, logs_of

from zerosum.deceleration import Comparison, Fit, fit_breaks
from zerosum.show.report import Report


@pytest.fixture(scope="module")
def logs() -> Report:
    return logs_of("a", "b", "short")


@pytest.fixture(scope="module")
def broken(logs: Report) -> Fit:
    return analyses_of(logs)[0].fit


def test_a_printed_fit_answers_the_question(broken: Fit) -> None:
    lines = repr(broken).splitlines()
    assert len(lines) <= 12
    text = repr(broken).replace("\xa0", " ")
    assert "decelerates" in text
    for name, places in (("t_d", 0), ("L_d", 3), ("r_d", 3)):
        low, high = broken.intervals[name]  # type: ignore[misc]
        assert f"{getattr(broken, name):.{places}f}" in text
        assert f"[{low:.{places}f}, {high:.{places}f}]" in text


def test_a_fit_that_cannot_tell_gives_its_reasons_as_codes(logs: Report) -> None:
    short = analyses_of(logs)[2].fit
    assert len(repr(short).splitlines()) <= 12
    for reason in short.reasons:
        assert reason.code in repr(short)


def test_the_table_of_a_fit_has_its_numbers(broken: Fit) -> None:
    row = broken.table().iloc[0]
    assert (row.run, row.verdict, row.t_d, row.L_d_low) == ("a", "decelerates", broken.t_d, broken.intervals["L_d"][0])  # type: ignore[index]


def test_everything_shown_has_a_table_a_figure_and_few_lines(logs: Report) -> None:
    pair = logs.across(Comparison)[0]
    for record in (*analyses_of(logs), analyses_of(logs)[0].fit, pair):
        assert len(repr(record).splitlines()) <= 12
        assert len(record.table())
        assert isinstance(record.plot(), Figure)
    assert "b reached a loss" in repr(pair)
    assert list(pair.table().nats)[-1] == pair.total


def test_breaks_and_curves_show_themselves() -> None:
    curve = curve_of("a", steps=600)
    breaks = fit_breaks(curve, 2)
    assert len(repr(breaks).splitlines()) <= 12
    assert list(breaks.table()["break"]) == ["1 of 2", "2 of 2"]
    assert "one thing about a" in repr(curve)


def test_an_estimate_is_a_number_of_a_break_only_where_there_is_one(logs: Report, broken: Fit) -> None:
    assert broken.estimate("t_d").value == broken.t_d
    assert broken.estimate("t_d").interval == broken.intervals["t_d"]
    assert (broken.estimate("L_d").unit, broken.estimate("L_d").N) == ("nats per token", broken.n_points)
    short = analyses_of(logs)[2].fit
    assert not short.estimate("t_d").known
    assert "cannot-tell" in short.estimate("t_d").reason
    assert short.estimate("L_T").value == short.L_T


def test_a_printed_fit_loads_no_matplotlib() -> None:
    code = (
        "import sys, numpy as np, zerosum\n"
        "from zerosum.curves import LossCurve\n"
        "step = np.arange(1.0, 400)\n"
        "print(zerosum.fit(LossCurve('a', step, 5 / step**0.1)))\n"
        "assert not {'matplotlib', 'torch', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
