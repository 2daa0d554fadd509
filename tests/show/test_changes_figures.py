"""Figures of loss changes draw what their tables hold, cut nothing off, and come out the same every time."""

import dataclasses
from types import ModuleType
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from figure_checks import check_layout, check_legend, check_names, drawn, texts
from synthetic_suite import pair_of, step_of, with_findings, with_pairs, with_steps

from zerosum.interference import measure
from zerosum.interference.labelled import StoreFindings
from zerosum.show.drawing.style import MUTED, SERIES
from zerosum.show.report import Report, Run
from zerosum.show.sections import d_m_plane, one_step

FIGURES = [d_m_plane, one_step]
LAYOUTS = ["wide", "narrow", "print"]
Layout = Literal["wide", "narrow", "print"]


def findings_of(run: Run) -> StoreFindings:
    findings = run.get(StoreFindings)
    assert findings
    return findings


def with_runs(report: Report, *runs: Run) -> Report:
    return dataclasses.replace(report, runs=runs)


@pytest.mark.parametrize("section", FIGURES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_nothing_is_cut_off_and_every_axis_is_named(three_sizes: Report, section: ModuleType, layout: Layout) -> None:
    fig = section.plot(three_sizes, layout)
    check_layout(fig)
    check_names(fig)
    check_legend(fig)


def test_both_nulls_and_N_are_shown(three_sizes: Report) -> None:
    fig = one_step.plot(three_sizes)
    lines = [tuple(line.get_ydata()) for line in fig.axes[0].lines]
    for run in three_sizes.runs:
        held_out = [one.measured for one in findings_of(run).one_steps if one.split == "heldout"]
        for name in ("D", "null", "null_unit"):
            assert tuple(getattr(one, name) for one in held_out) in lines
    assert fig.axes[0].get_title(loc="left").endswith("(N = 4,096)")
    assert fig.axes[1].get_title(loc="left").endswith("(N = 1,024)")


@pytest.mark.parametrize("section", FIGURES)
def test_the_reader_is_warned_where_N_differs_and_only_there(three_sizes: Report, section: ModuleType) -> None:
    assert any("cannot be compared" in text for text in texts(section.plot(three_sizes)))
    same = [
        with_steps(run, *(one for one in findings_of(run).one_steps if one.split == "heldout"))
        for run in three_sizes.runs
    ]
    fig = section.plot(with_runs(three_sizes, *same))
    assert not any("cannot be compared" in text for text in texts(fig))


def nearly_all_cancelled(run: Run, mean: float) -> Run:
    """One-step changes whose D climbs to about 1 while M falls, as over single steps of real training."""
    rng = np.random.default_rng(0)
    steps = [(2**k, measure(rng.normal(-mean, 1, (64, 16)) / (k + 1) ** 2)) for k in range(8)]
    late = [(2**k, measure(rng.normal(-0.01, 1, (64, 16)) / (k + 1) ** 2)) for k in range(8, 11)]
    return with_steps(run, *(step_of(step, "heldout", one) for step, one in [*steps, *late]))


@pytest.mark.parametrize("layout", ["wide", "narrow"])
@pytest.mark.parametrize("mean", [None, 0.01, 0.3, 3.0])
def test_lines_of_equal_progress_are_named_on_themselves(
    three_sizes: Report, layout: Layout, mean: float | None
) -> None:
    runs = three_sizes.runs if mean is None else tuple(nearly_all_cancelled(run, mean) for run in three_sizes.runs)
    fig = d_m_plane.plot(with_runs(three_sizes, *runs), layout)
    drawn(fig)
    for ax in fig.axes[: 2 if mean else 3]:
        lines = [np.asarray(line.get_xydata()) for line in ax.lines if line.get_linewidth() == d_m_plane.LINE]
        names = [text for text in ax.texts if text.get_color() == MUTED]
        assert len(lines) == len(names) >= 1
        centres = [text.get_window_extent().get_points().mean(axis=0) for text in names]
        away = np.array([[np.hypot(*(ax.transData.transform(one) - at).T).min() for at in centres] for one in lines])
        own = away.argmin(axis=1)
        assert away.argmin(axis=0)[own].tolist() == list(range(len(lines)))
        assert away.min(axis=1).max() < 4  # pixels at 100 dpi
        for line, k in zip(lines, own, strict=True):
            progress = line[:, 1] * (1 - line[:, 0])
            assert progress == pytest.approx(float(names[k].get_text()))
            assert line[:, 0].max() <= 0.98
            assert line[:, 0].min() < 0.98


def test_step_zero_has_a_place(three_sizes: Report) -> None:
    run = three_sizes.runs[0]
    first = step_of(0, "heldout", findings_of(run).one_steps[0].measured)
    ax = one_step.plot(with_runs(three_sizes, with_steps(run, first, *findings_of(run).one_steps))).axes[0]
    assert ax.get_xlim()[0] < 0
    assert 0 in ax.get_xticks()


def test_nothing_measured_is_no_section(three_sizes: Report, short_run: Run) -> None:
    bare = with_steps(with_pairs(three_sizes.runs[0]))
    for runs in ((), (bare,), (Run("a log alone", short_run.records[1:2]),)):
        assert [section.absent(with_runs(three_sizes, *runs)) for section in FIGURES] == ["", ""]
    one_pair = with_steps(with_pairs(three_sizes.runs[0], measure(np.random.default_rng(0).normal(-1, 1, (64, 8)))))
    assert d_m_plane.absent(with_runs(three_sizes, one_pair)) == ""


def test_pairs_with_a_problem_are_on_no_path(three_sizes: Report) -> None:
    run = three_sizes.runs[0]
    found = findings_of(run).found
    sick = dataclasses.replace(found.pairs[-1], problem="identical-weights")
    changed = with_findings(
        run, lambda whole: dataclasses.replace(whole, found=dataclasses.replace(found, pairs=(*found.pairs[:-1], sick)))
    )
    rows = [row for row in d_m_plane.numbers(with_runs(three_sizes, changed)) if row["change"] == "t->2t"]
    assert [row["from_step"] for row in rows] == [pair.from_step for pair in found.pairs[:-1]]


def test_pairs_that_are_no_doublings_are_not_called_so(three_sizes: Report) -> None:
    run, rng = three_sizes.runs[0], np.random.default_rng(0)
    pairs = tuple(pair_of(start, start + 20, measure(rng.normal(-1, 1, (64, 8)))) for start in (10, 30, 50))
    changed = with_findings(
        run, lambda whole: dataclasses.replace(whole, found=dataclasses.replace(whole.found, pairs=pairs))
    )
    title = d_m_plane.plot(with_runs(three_sizes, changed)).axes[0].get_title(loc="left")
    assert title == "between checkpoints, held-out text (N = 512)"


def test_tables_hold_every_number(three_sizes: Report) -> None:
    steps = pd.DataFrame(one_step.numbers(three_sizes))
    assert len(steps) == sum(len(findings_of(run).one_steps) for run in three_sizes.runs)
    row = steps[(steps.run == "26k") & (steps.split == "heldout")].iloc[-1]
    last = [one.measured for one in findings_of(three_sizes.runs[0]).one_steps if one.split == "heldout"][-1]
    assert (row.D, row.N, row.null_unit, row.D_low) == (last.D, last.N, last.null_unit, last.interval.D[0])  # type: ignore[union-attr]
    plane = pd.DataFrame(d_m_plane.numbers(three_sizes))
    pairs = sum(len(findings_of(run).found.pairs) for run in three_sizes.runs)
    assert len(plane) == pairs + len(steps)
    np.testing.assert_allclose(plane.progress, plane.delta_L.abs(), rtol=1e-12)


def test_runs_differ_without_colour(three_sizes: Report) -> None:
    lines = [line for line in one_step.plot(three_sizes).axes[0].lines if line.get_color() in SERIES]
    looks = {(line.get_marker(), line.get_linestyle()) for line in lines if line.get_marker() not in ("None", "")}
    assert len(looks) == 3


def test_words_compare_the_batch_with_held_out_text(three_sizes: Report) -> None:
    sentences = list(one_step.sentences(three_sizes))
    assert len(sentences) == 3
    run = findings_of(three_sizes.runs[0])
    batch, held_out = (
        [one.measured for one in run.one_steps if one.split == split][-1] for split in ("batch", "heldout")
    )
    assert f"D = {batch.D:.3f} (N = 1,024)" in sentences[0]
    assert f"D = {held_out.D:.3f} (N = 4,096)" in sentences[0]
    assert sentences[0].startswith("26k, steps 1,024 to 1,025: ")
