"""Sections on pairs of checkpoints and single steps: figures, sentences and tables, of one run and of several."""

import csv
import dataclasses
import io
import math

import numpy as np
import pytest
from losses_reports import hostile_findings, report_on
from synthetic_suite import curve_of

from zerosum.deceleration import Analysis, fit
from zerosum.interference import measure
from zerosum.interference.labelled import (
    Changes,
    NoiseFloor,
    OneStep,
    PairInterference,
    StoreFindings,
    StoreInterference,
)
from zerosum.show import terminal
from zerosum.show.drawing import SERIES
from zerosum.show.report import Report, Run
from zerosum.show.section import left_out, present
from zerosum.show.sections import interference, one_step
from zerosum.show.table import Text, as_csv, cell


def findings_with(means, N=1024, problem=None, steps=()):
    """Pairs 1-2, 2-4, ... whose changes have these means and standard deviation 1."""
    rng = np.random.default_rng(0)
    unknown = NoiseFloor(math.nan, math.nan, "not measured")
    pairs = tuple(
        PairInterference(2**k, 2 ** (k + 1), measure(rng.normal(mean, 1, (64, N // 64))), "sequence", 0, unknown, None)
        for k, mean in enumerate(means)
    )
    pairs = (*pairs[:-1], dataclasses.replace(pairs[-1], problem=problem))
    return StoreFindings(StoreInterference(pairs, (), (), (), {}, (), None), one_steps=steps)


def one_steps(N=512):
    rng = np.random.default_rng(1)
    return tuple(
        OneStep(step, split, Changes(2.0, unit, measure(rng.normal(-0.1, 1, (32, N // 32)))))
        for step in (0, 1, 4)
        for split, unit in (("heldout", "document"), ("batch", "sequence"))
    )


@pytest.fixture(scope="module")
def three_runs():
    steps = one_steps()
    rows = ((-1.0, -0.5, -0.1), (-2.0, -1.0, -0.3), (-1.0, -0.2, 0.4))
    names = ("26k", "100k", "=HYPERLINK(1)")
    analysis = Analysis(fit(curve_of("26k", 2.6, 3.0, 0.17, 0), cutoff=0), (), ())
    runs = [Run(name, (findings_with(means, steps=steps),), seed=0) for name, means in zip(names, rows, strict=True)]
    return Report("three", (dataclasses.replace(runs[0], records=(*runs[0].records, analysis)), *runs[1:]))


def texts(fig):
    legends = [text.get_text() for legend in fig.legends for text in legend.get_texts()]
    notes = [fig._suptitle.get_text()] if fig._suptitle else []
    return [*legends, *notes, *(text.get_text() for ax in fig.axes for text in ax.texts)]


def test_both_nulls_are_drawn_and_their_unit_is_named(three_runs):
    fig = interference.plot(three_runs)
    drawn = [tuple(line.get_ydata()) for line in fig.axes[0].lines]
    for _, findings in three_runs.each(StoreFindings):
        for name in ("D", "null", "null_unit"):
            assert tuple(getattr(pair.measured, name) for pair in findings.found.pairs) in drawn
    assert "null_unit: a random sign per sequence" in texts(fig)
    single = interference.plot(report_on(hostile_findings()))
    assert "null_unit: a random sign per document" in texts(single)
    assert "this run, N = 351 tokens" in texts(single)


def test_the_reader_is_warned_where_N_differs_and_only_there(three_runs):
    assert not any("N differs" in text for text in texts(interference.plot(three_runs)))
    other = Run("small", (findings_with((-1.0, -0.1), N=256),))
    assert any("N differs" in text for text in texts(interference.plot(Report("", (*three_runs.runs, other)))))


def test_runs_differ_without_colour(three_runs):
    lines = [line for line in interference.plot(three_runs).axes[0].lines if line.get_color() in SERIES]
    looks = {(line.get_marker(), line.get_linestyle()) for line in lines if line.get_marker() not in ("None", "")}
    assert len(looks) == 3


def test_the_break_of_a_run_is_marked_on_the_axis_of_D(three_runs):
    analysis = three_runs.runs[0].get(Analysis)
    marks = [line for line in interference.plot(three_runs).axes[0].lines if tuple(line.get_ydata()) == (0, 0.055)]
    assert [line.get_xdata()[0] for line in marks] == (
        [analysis.fit.t_d] if analysis.fit.verdict == "decelerates" and analysis.fit.t_d < 8 else []
    )


def test_single_steps_have_panels_of_their_own_and_step_zero_a_place(three_runs):
    fig = one_step.plot(three_runs)
    titles = [ax.get_title("left") for ax in fig.axes]
    assert titles == ["t → t+1, held-out text (N = 512)", "t → t+1, training batch (N = 512)"] * 2
    assert fig.axes[0].get_xlim()[0] < 0
    assert 0 in fig.axes[0].get_xticks()
    held_out = tuple(step for step in one_steps() if step.split == "heldout")
    bare = Report("", (Run("a", (findings_with((-1.0, -0.1), steps=held_out),)),))
    panels = [ax.get_title("left") for ax in one_step.plot(bare).axes]
    assert [title.split(" (")[0] for title in panels] == ["t → t+1, held-out text"] * 2  # the batch was not measured


def test_figures_hand_over_every_number(three_runs):
    rows = interference.numbers(three_runs)
    assert len(rows) == 9
    last = three_runs.runs[0].get(StoreFindings).found.pairs[-1].measured
    row = rows[2]
    assert (row["run"], row["D"], row["N"], row["D_low"]) == ("26k", last.D, last.N, last.interval.D[0])
    steps = one_step.numbers(three_runs)
    assert len(steps) == 3 * 6
    assert {(row["change"], row["split"]) for row in steps} == {("t->t+1", "heldout"), ("t->t+1", "batch")}
    assert "run" not in interference.numbers(report_on(hostile_findings()))[0]


def test_the_table_of_pairs_is_the_same_in_csv_and_on_a_page(three_runs):
    table = next(interference.tables(three_runs))
    rows = list(csv.DictReader(io.StringIO(as_csv(table))))
    for row, (_, pair) in zip(
        rows,
        [(label, pair) for label, found in three_runs.each(StoreFindings) for pair in found.found.pairs],
        strict=True,
    ):
        assert (float(row["D"]), int(row["N"])) == (pair.measured.D, pair.measured.N)
        assert [float(row["D_low"]), float(row["D_high"])] == list(pair.measured.interval.D)
    assert rows[-1]["source"] == "'=HYPERLINK(1)"
    columns, shown = table.shown_on("page")
    place = [column.name for column in columns].index("D")
    assert cell(shown[0][place], columns[place].form).below.startswith("[")


def test_no_csv_runs_a_formula(three_runs):
    for section in present(three_runs):
        for table in section.tables(three_runs):
            assert ",=HYPERLINK" not in f",{as_csv(table)}".replace("\n", ",")


def test_pairs_with_a_problem_are_marked_and_in_no_sentence():
    report = report_on(findings_with((-1.0, -0.5, 0.5), problem="identical-weights"))
    table = next(interference.tables(report))
    assert [row[0].main for row in table.rows] == ["1 to 2", "2 to 4", "4 to 8 *"]
    assert "Steps 2 to 4: D" in interference.headline(report)
    assert any("(marked *)" in text for text in interference.answer(report) if isinstance(text, str))
    alone = report_on(findings_with((0.5,), problem="identical-weights"))
    assert interference.headline(alone) == (
        "Every pair touches a checkpoint with a problem (identical-weights), so nothing is summed up."
    )


def test_no_change_is_claimed_where_none_can_be():
    def change(*pairs):
        found = StoreInterference(pairs, (), (), (), {}, (), None)
        return " ".join(interference.sentences(report_on(StoreFindings(found))))

    first, last = findings_with((-1.0, -0.1)).found.pairs
    assert "D rose, and the intervals do not overlap" in change(first, last)
    assert "D fell, and the intervals do not overlap" in change(last, dataclasses.replace(first, from_step=9))
    assert "overlap, so no change is claimed" in change(first, dataclasses.replace(first, from_step=2))
    bare = dataclasses.replace(last, measured=dataclasses.replace(last.measured, interval=None, interval_reason="few"))
    assert "without intervals no change of D is claimed" in change(first, bare)
    smaller = dataclasses.replace(last, measured=dataclasses.replace(last.measured, N=9))
    assert "D of different N cannot be compared" in change(first, smaller)


def test_losses_that_do_not_move_have_reasons(tmp_path):
    still = measure(np.zeros((25, 4)))
    unknown = NoiseFloor(math.nan, math.nan, "not measured")
    pair = PairInterference(1, 2, still, "sequence", 0, unknown, None)
    report = report_on(StoreFindings(StoreInterference((pair,), (), (), (), {}, (), None)))
    assert interference.headline(report) == "Steps 1 to 2: no loss changed at all."
    table = next(interference.tables(report))
    assert cell(table.rows[0][2]) == Text("—", note="every change is zero")
    for layout in ("wide", "narrow", "print"):
        interference.plot(report, layout)


def test_a_report_of_several_runs_reads_as_one_answer(three_runs, capsys):
    terminal.show(three_runs)
    out = capsys.readouterr().out
    assert len(out.splitlines()) <= 24
    assert "in 3 runs" in " ".join(out.split())
    assert not [title for title, _ in left_out(three_runs) if title == interference.TITLE]
    assert "26k: Steps 4 to 8:" in " ".join(interference.sentences(three_runs))
