"""Figures of loss logs draw what their tables hold, cut nothing off, and stay readable and small with many curves."""

import dataclasses
from types import ModuleType
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from simulated_logs import analyses_of, analysis_of, curve_of, logs_of, report_of

from zerosum.curves import LossCurve
from zerosum.deceleration import Analysis, fit
from zerosum.show.drawing import Layout
from zerosum.show.drawing.multiples import MOST_PANELS
from zerosum.show.report import Report
from zerosum.show.section import present
from zerosum.show.sections import curves, cutoffs, differences, forecasts, misfit

FIGURES = {"curves": curves, "cutoffs": cutoffs, "misfit": misfit, "forecasts": forecasts, "differences": differences}


def table_of(section: ModuleType, report: Report) -> pd.DataFrame:
    return pd.DataFrame(section.numbers(report))


@pytest.fixture(scope="module")
def logs() -> Report:
    return logs_of("a", "b", "short")


@pytest.fixture(scope="module")
def many(logs: Report) -> Report:
    """More curves than a figure holds, which need no fit of their own."""
    one = analyses_of(logs)[0]
    named = [dataclasses.replace(one.fit.curve, name=f"sweep of June, number {k}") for k in range(MOST_PANELS + 3)]
    return report_of([dataclasses.replace(one, fit=dataclasses.replace(one.fit, curve=curve)) for curve in named])


@pytest.mark.parametrize("layout", get_args(Layout))
@pytest.mark.parametrize("stem", FIGURES)
def test_nothing_is_cut_off(logs: Report, stem: str, layout: Layout) -> None:
    fig = FIGURES[stem].plot(logs, layout)
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    drawn = fig.get_tightbbox(canvas.get_renderer())  # inches
    width, height = fig.get_size_inches()
    assert min(drawn.x0, drawn.y0) >= 0
    assert drawn.x1 <= width
    assert drawn.y1 <= height
    assert len(FIGURES[stem].alt(logs)) > 100


def test_every_dot_is_a_row_of_the_table(logs: Report) -> None:
    table = table_of(curves, logs)
    for ax, (name, _) in zip(curves.plot(logs).axes, logs.each(Analysis), strict=True):
        rows = table[table.run == name]
        dots = next(line for line in ax.lines if line.get_marker() == ".")
        assert np.array_equal(dots.get_xydata(), rows[["step", "loss"]].to_numpy())


def test_both_marks_of_the_break_and_its_intervals(logs: Report) -> None:
    ax, fit_of_a = curves.plot(logs).axes[0], analyses_of(logs)[0].fit
    points = {line.get_marker(): line.get_xydata()[0] for line in ax.lines if len(line.get_xydata()) == 1}
    assert points["D"] == pytest.approx([fit_of_a.t_d, fit_of_a.L_d])
    assert points["o"] == pytest.approx([fit_of_a.t_d, float(fit_of_a.predict(fit_of_a.t_d))])
    ends = [tuple(piece[:, 0]) for artist in ax.collections for piece in artist.get_segments()]  # type: ignore[attr-defined]
    assert fit_of_a.intervals["t_d"] in ends


def test_a_curve_that_cannot_be_told_has_no_marks(logs: Report) -> None:
    ax = curves.plot(logs).axes[2]
    assert not {"D", "o"} & {line.get_marker() for line in ax.lines}
    assert table_of(curves, logs).query("run == 'short'").segment_after.isna().all()


def test_lines_of_the_cutoffs_are_in_the_table(logs: Report) -> None:
    table = table_of(cutoffs, logs)
    drawn = [tuple(map(tuple, line.get_xydata())) for line in cutoffs.plot(logs).axes[0].lines]
    for _, rows in table.groupby("run"):
        assert tuple(map(tuple, rows[["cutoff", "t_d_relative"]].to_numpy())) in drawn
        assert rows[rows.used].t_d_relative.tolist() == pytest.approx([1.0])


def test_misfit_is_measured_against_the_law(logs: Report) -> None:
    table = table_of(misfit, logs).query("run == 'a'")
    line = misfit.plot(logs).axes[0].lines[1]
    assert line.get_xydata()[:, 1] == pytest.approx(100 * table.left_by_one_break)
    found = analyses_of(logs)[0].fit
    assert np.sqrt(np.mean(np.log1p(table.left_by_one_break) ** 2)) == pytest.approx(found.rsle, rel=0.02)
    assert table.other_law.unique().tolist() == ["power law"]


def test_forecasts_and_their_test_are_drawn(logs: Report) -> None:
    table = table_of(forecasts, logs).query("run == 'a'")
    marks = [line.get_ydata()[0] for line in forecasts.plot(logs).axes[0].lines if len(line.get_xydata()) == 1]
    assert sorted(marks) == pytest.approx(sorted(table.loss))
    assert table.earlier.sum() == 6


def test_bars_add_up_and_each_interval_stands_where_it_is_read(logs: Report) -> None:
    """Bars begin at 0, so that an interval on the figure crosses 0 where the interval of the table does."""
    ax, table = differences.plot(logs).axes[0], table_of(differences, logs).set_index("term")
    bars = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]  # type: ignore[attr-defined]
    assert {start for start, _ in bars} == {0}
    assert [end for _, end in bars] == pytest.approx(table.nats)
    assert sum(end for _, end in bars[:-1]) == pytest.approx(bars[-1][1])
    drawn = [piece[:, 0].tolist() for artist in ax.collections for piece in artist.get_segments()]  # type: ignore[attr-defined]
    assert drawn == table.drop("total")[["low", "high"]].to_numpy().tolist()
    assert set(table.b) == {"b"}


def test_only_figures_with_something_to_show(logs: Report) -> None:
    alone = report_of([Analysis(analyses_of(logs)[0].fit, (), ())])
    assert [section.stem for section in present(alone) if section.figure] == ["curves", "misfit", "cutoffs"]


def test_many_curves_have_a_limit_that_is_said(many: Report) -> None:
    fig = curves.plot(many)
    assert len([ax for ax in fig.axes if ax.get_visible()]) == MOST_PANELS
    assert f"The first {MOST_PANELS} of {MOST_PANELS + 3}" in fig.get_suptitle()
    assert len({ax.get_title(loc="left") for ax in fig.axes}) == MOST_PANELS
    assert len(cutoffs.plot(many).legends[0].get_texts()) < 12


def test_a_long_curve_is_thinned() -> None:
    one = analysis_of(curve_of("long", steps=100_000))
    assert len(table_of(curves, report_of([one]))) <= 260


@pytest.mark.parametrize("steps", [[0.0], [1.0], [1.0, 2.0, 3.0]])
def test_what_cannot_be_fitted_still_has_figures(steps: list[float]) -> None:
    curve = LossCurve("few", np.array(steps), np.full(len(steps), 2.0))
    bare = report_of([Analysis(fit(curve), (), ())])
    for section in present(bare):
        if section.figure:
            section.figure.plot(bare)
            section.figure.numbers(bare)
            section.figure.alt(bare)
