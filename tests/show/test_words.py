"""The sentences about fits say what the numbers say, with intervals, and admit what cannot be told."""

import dataclasses

import numpy as np
import pytest

from zerosum.curves import LossCurve
from zerosum.deceleration import Analysis, Fit, fit
from zerosum.show.report import Report, Run
from zerosum.show.words import deceleration, verdicts_counted


@pytest.fixture
def broken(three_sizes: Report) -> Fit:
    return fits_of(three_sizes)[1]


def fits_of(report: Report) -> list[Fit]:
    return [analysis.fit for _, analysis in report.each(Analysis)]


def test_several_runs_are_counted_with_the_range_of_their_breaks(three_sizes: Report, short_run: Run) -> None:
    fits = fits_of(three_sizes)
    text = verdicts_counted(fits)
    steps = sorted(found.t_d for found in fits)
    assert text.startswith("Three loss curves were fitted: three decelerate. ")
    assert f"at steps {steps[0]:.0f} to {steps[-1]:.0f} and losses of" in text
    short = short_run.records[1].fit
    assert verdicts_counted([fits[0], short]).startswith(
        "Two loss curves were fitted: one decelerates; for one it cannot be told whether it decelerates."
    )


def test_deceleration_gives_all_three_numbers_with_intervals(broken: Fit) -> None:
    text = deceleration(broken)
    for name in ("t_d", "L_d", "r_d"):
        low, high = broken.intervals[name]  # type: ignore[misc]
        places = 0 if name == "t_d" else 3 if name == "L_d" else 4
        value = getattr(broken, name)
        assert f"{name}\xa0=\xa0{value:.{places}f} [{low:.{places}f},\xa0{high:.{places}f}]" in text
    assert f"{100 * (1 - 2**-broken.r_d):.0f}\xa0% after it" in text


def test_deceleration_says_why_an_interval_is_missing(broken: Fit) -> None:
    bare = dataclasses.replace(broken, intervals={**broken.intervals, "t_d": None}, interval_reasons={"t_d": "too few"})
    assert "(no interval: too few)" in deceleration(bare)


def test_a_short_run_cannot_tell_and_gives_the_reason(short_run: Run) -> None:
    found = short_run.records[1].fit
    text = deceleration(found)
    assert text.startswith("Whether the loss slowed down cannot be told from steps 21 to 40, because ")
    assert found.reasons[0].message.rstrip(".") in text
    assert "t_d" not in text


def test_a_power_law_has_no_break() -> None:
    step = np.arange(1.0, 2049.0)
    loss = 6 * step**-0.1 * np.exp(np.random.default_rng(0).normal(0, 0.02, 2048))
    found = fit(LossCurve("straight", step, loss), cutoff=20)
    assert found.verdict == "no-break"
    assert deceleration(found).startswith("The loss shows no break within steps 21 to")
