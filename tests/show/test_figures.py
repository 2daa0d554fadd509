"""Figures show what their tables hold, cut nothing off, and come out the same every time."""

import dataclasses
import warnings
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from synthetic_suite import renamed

from zerosum.interference import measure
from zerosum.show import OneStep, RunSummary, SuiteSummary
from zerosum.show.drawing import draw, write_figure
from zerosum.show.drawing.files import inert
from zerosum.show.drawing.style import MUTED, SERIES
from zerosum.show.suite.figures import FIGURES, d_m_plane, interference_steps, loss_curves

EVERY = [(stem, layout) for stem in FIGURES for layout in ("wide", "narrow")]


def texts(fig: Figure) -> list[str]:
    return [text.get_text() for text in fig.findobj(lambda artist: hasattr(artist, "get_text")) if text.get_text()]


@pytest.mark.parametrize(("stem", "layout"), EVERY)
def test_nothing_is_cut_off(three_sizes: SuiteSummary, stem: str, layout: str) -> None:
    fig = FIGURES[stem].plot(three_sizes, layout)  # type: ignore[arg-type]
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    drawn = fig.get_tightbbox(canvas.get_renderer())  # inches
    width, height = fig.get_size_inches()
    assert drawn.x0 >= 0
    assert drawn.y0 >= 0
    assert drawn.x1 <= width
    assert drawn.y1 <= height


@pytest.mark.parametrize(("stem", "layout"), EVERY)
def test_the_legend_covers_no_panel(three_sizes: SuiteSummary, stem: str, layout: str) -> None:
    fig = FIGURES[stem].plot(three_sizes, layout)  # type: ignore[arg-type]
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    (legend,) = fig.legends
    box = legend.get_window_extent(canvas.get_renderer())
    for ax in fig.axes:
        if ax.get_visible():
            assert not box.overlaps(ax.get_tightbbox(canvas.get_renderer())), ax.get_title()


@pytest.mark.parametrize(("stem", "layout"), EVERY)
def test_every_axis_is_named(three_sizes: SuiteSummary, stem: str, layout: str) -> None:
    axes = [ax for ax in FIGURES[stem].plot(three_sizes, layout).axes if ax.get_visible()]  # type: ignore[arg-type]
    assert all(ax.get_title(loc="left") for ax in axes)
    assert axes[-1].get_xlabel()
    assert axes[0].get_ylabel() or "(" in axes[0].get_title(loc="left")


def test_the_break_is_marked_where_lines_cross_and_on_the_curve(three_sizes: SuiteSummary) -> None:
    for ax, run in zip(loss_curves.plot(three_sizes).axes, three_sizes.runs, strict=True):
        points = {line.get_marker(): line.get_xydata()[0] for line in ax.lines if len(line.get_xydata()) == 1}
        assert points["D"] == pytest.approx([run.fit.t_d, run.fit.L_d])
        assert points["o"] == pytest.approx([run.fit.t_d, float(run.fit.predict(run.fit.t_d))])
        assert points["o"][1] > points["D"][1]


def test_the_fitted_range_is_shaded(three_sizes: SuiteSummary) -> None:
    run = three_sizes.runs[0]
    box = loss_curves.plot(three_sizes).axes[0].patches[0].get_bbox()
    assert (box.x0, box.x1) == (run.fit.first_step, run.fit.last_step)


def test_a_fit_that_cannot_tell_marks_no_break(three_sizes: SuiteSummary, short_run: RunSummary) -> None:
    ax = loss_curves.plot(dataclasses.replace(three_sizes, runs=(short_run,))).axes[0]
    assert "D" not in {line.get_marker() for line in ax.lines}
    assert any(text.get_text().startswith("cannot tell:") for text in ax.texts)
    assert not any("segment" in text.get_text() for text in ax.figure.legends[0].get_texts())


def test_both_nulls_and_N_are_shown(three_sizes: SuiteSummary) -> None:
    fig = interference_steps.plot(three_sizes)
    drawn = [tuple(line.get_ydata()) for line in fig.axes[0].lines]
    for run in three_sizes.runs:
        for name in ("D", "null", "null_unit"):
            assert tuple(getattr(pair.interference, name) for pair in run.double) in drawn
    assert fig.axes[0].get_title(loc="left").endswith("(N = 4,096)")
    assert fig.axes[2].get_title(loc="left").endswith("(N = 1,024)")


def test_the_reader_is_warned_where_N_differs_and_only_there(three_sizes: SuiteSummary) -> None:
    assert any("cannot be compared" in text for text in texts(interference_steps.plot(three_sizes)))
    same = tuple(
        dataclasses.replace(run, one_step=tuple(one for one in run.one_step if one.split == "heldout"))
        for run in three_sizes.runs
    )
    fig = interference_steps.plot(dataclasses.replace(three_sizes, runs=same))
    assert not any("cannot be compared" in text for text in texts(fig))
    assert "not measured in this suite" in texts(fig)


def nearly_all_cancelled(run: RunSummary, mean: float) -> RunSummary:
    """One-step changes whose D climbs to about 1 while M falls, as over single steps of real training."""
    rng = np.random.default_rng(0)
    steps = [(2**k, measure(rng.normal(-mean, 1, (64, 16)) / (k + 1) ** 2)) for k in range(8)]
    late = [(2**k, measure(rng.normal(-0.01, 1, (64, 16)) / (k + 1) ** 2)) for k in range(8, 11)]
    return dataclasses.replace(run, one_step=tuple(OneStep(step, "heldout", one) for step, one in [*steps, *late]))


@pytest.mark.parametrize("layout", ["wide", "narrow"])
@pytest.mark.parametrize("mean", [None, 0.01, 0.3, 3.0])
def test_lines_of_equal_progress_are_named_on_themselves(
    three_sizes: SuiteSummary, layout: Literal["wide", "narrow"], mean: float | None
) -> None:
    runs = three_sizes.runs if mean is None else tuple(nearly_all_cancelled(run, mean) for run in three_sizes.runs)
    fig = d_m_plane.plot(dataclasses.replace(three_sizes, runs=runs), layout)
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
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


def test_step_zero_has_a_place(three_sizes: SuiteSummary) -> None:
    run = three_sizes.runs[0]
    first = OneStep(0, "heldout", run.one_step[0].interference)
    runs = (dataclasses.replace(run, one_step=(first, *run.one_step)),)
    ax = interference_steps.plot(dataclasses.replace(three_sizes, runs=runs)).axes[1]
    assert ax.get_xlim()[0] < 0
    assert 0 in ax.get_xticks()


def test_an_empty_suite_still_draws(three_sizes: SuiteSummary) -> None:
    bare = tuple(dataclasses.replace(run, cutoffs=(), double=(), one_step=()) for run in three_sizes.runs)
    for module in FIGURES.values():
        module.plot(dataclasses.replace(three_sizes, runs=bare))
        module.table(dataclasses.replace(three_sizes, runs=bare))
        module.alt(dataclasses.replace(three_sizes, runs=bare))


def test_tables_hold_every_number(three_sizes: SuiteSummary) -> None:
    curves = FIGURES["loss-curves"].table(three_sizes)
    assert len(curves) == sum(len(run.curve) for run in three_sizes.runs)
    inside = curves[curves.in_fitted_range & (curves.run == "100k")]
    assert (inside.step.min(), inside.step.max()) == (21, 2048)
    changes = FIGURES["interference"].table(three_sizes)
    assert len(changes) == sum(len(run.double) + len(run.one_step) for run in three_sizes.runs)
    row = changes[(changes.run == "26k") & (changes.change == "t->2t")].iloc[-1]
    last = three_sizes.runs[0].double[-1].interference
    assert (row.D, row.N, row.null_unit, row.D_low) == (last.D, last.N, last.null_unit, last.interval.D[0])  # type: ignore[union-attr]
    plane = FIGURES["d-m-plane"].table(three_sizes)
    np.testing.assert_allclose(plane.progress, plane.delta_L.abs(), rtol=1e-12)
    cutoffs = FIGURES["cutoffs"].table(three_sizes)
    assert cutoffs.groupby("run").used.sum().tolist() == [1, 1, 1]


def test_the_same_numbers_give_the_same_bytes(three_sizes: SuiteSummary, tmp_path: Path) -> None:
    module = FIGURES["cutoffs"]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_figure(draw(module, three_sizes), module.table(three_sizes), tmp_path / name, "x")
    for kind in ("svg", "pdf", "csv"):
        assert (tmp_path / "a" / f"x.{kind}").read_bytes() == (tmp_path / "b" / f"x.{kind}").read_bytes()


def test_names_are_text_in_files(three_sizes: SuiteSummary, tmp_path: Path) -> None:
    names = ("<script>a</script>", "$\\frac{1}{0}$\x00", "名前 😀")
    hostile = renamed(three_sizes, *names)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_figure(draw(FIGURES["cutoffs"], hostile), FIGURES["cutoffs"].table(hostile), tmp_path, "x")
    shown = [element.text for element in ElementTree.parse(tmp_path / "x.svg").iter() if element.tag.endswith("}text")]  # noqa: S314
    for name in ("<script>a</script>", "$\\frac{1}{0}$\ufffd", "名前 😀"):
        assert name in shown
    assert {file.name for file in tmp_path.iterdir()} == {"x.svg", "x.pdf", "x.csv"}


def test_spreadsheets_run_no_cell(three_sizes: SuiteSummary) -> None:
    table = FIGURES["cutoffs"].table(renamed(three_sizes, "=1+1", "@a", "-b"))
    assert set(inert(table).run) == {"'=1+1", "'@a", "'-b"}
    assert inert(table).L_d.tolist() == table.L_d.tolist()


def test_runs_differ_without_colour(three_sizes: SuiteSummary) -> None:
    lines = [line for line in interference_steps.plot(three_sizes).axes[0].lines if line.get_color() in SERIES]
    looks = {(line.get_marker(), line.get_linestyle()) for line in lines if line.get_marker() not in ("None", "")}
    assert len(looks) == 3
