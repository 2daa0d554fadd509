"""Sections on dissent: figures draw what their tables hold, cut nothing off, and stay readable with many layers."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from dissent_records import REACHED, checkpoint, over_training, report, unknown
from matplotlib.backends.backend_agg import FigureCanvasAgg

from zerosum.dissent import DissentOverTraining
from zerosum.show import folder, terminal
from zerosum.show.drawing import Layout
from zerosum.show.report import Report, Run
from zerosum.show.section import left_out, present
from zerosum.show.sections import (
    dissent,
    dissent_by_frequency,
    dissent_by_layer_over_steps,
    dissent_by_part,
    dissent_over_steps,
)
from zerosum.show.table import as_csv

FIGURES = {
    "dissent-over-steps": dissent_over_steps,
    "dissent-by-frequency": dissent_by_frequency,
    "dissent-by-part": dissent_by_part,
    "dissent-by-layer-over-steps": dissent_by_layer_over_steps,
}
"""In the order of the page."""


@pytest.fixture(scope="module")
def over() -> DissentOverTraining:
    return over_training()


@pytest.fixture(scope="module")
def shown(over: DissentOverTraining) -> Report:
    return report(over)


def drawn(over: DissentOverTraining) -> list[str]:
    return [section.stem for section in present(report(over)) if section.figure]


def frame(module: Any, shown: Report) -> pd.DataFrame:
    return pd.DataFrame(module.numbers(shown))


@pytest.mark.parametrize(
    ("layers", "layout"),
    [
        pytest.param(layers, layout, marks=() if layers == 40 or layout == "narrow" else pytest.mark.long)
        for layers in (2, 40)
        for layout in get_args(Layout)
    ],
)
@pytest.mark.parametrize("stem", FIGURES)
def test_nothing_is_cut_off(stem: str, layers: int, layout: Layout) -> None:
    shown = report(over_training(layers=layers))
    fig = FIGURES[stem].plot(shown, layout)
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    bbox = fig.get_tightbbox(canvas.get_renderer())  # inches
    width, height = fig.get_size_inches()
    assert min(bbox.x0, bbox.y0) >= 0
    assert bbox.x1 <= width
    assert bbox.y1 <= height
    assert len(FIGURES[stem].alt(shown)) > 100


def test_every_series_over_steps_is_a_column_of_the_table(shown: Report) -> None:
    table = frame(dissent_over_steps, shown)
    panel, loss = dissent_over_steps.plot(shown).axes
    lines = [line.get_xydata() for line in panel.lines if len(line.get_xydata()) == len(table)]
    for place in ("token", "rows", "head", "body"):
        assert any(np.array_equal(line, table[["step", place]].to_numpy()) for line in lines), place
    assert np.array_equal(loss.lines[0].get_xydata(), table[["step", "loss"]].to_numpy())
    assert table["loss_low"].notna().all()


def test_what_is_reached_is_marked_in_both_panels(shown: Report) -> None:
    panel, loss = dissent_over_steps.plot(shown).axes
    marks = [[tuple(line.get_xydata()[0]) for line in ax.lines if len(line.get_xydata()) == 1] for ax in (panel, loss)]
    step, at_loss = REACHED
    assert marks[0] == [pytest.approx((step, 0.9))] * 2  # head and body
    assert marks[1] == [pytest.approx((step, at_loss))] * 2
    levels = {line.get_ydata()[0] for line in panel.lines if len(line.get_xydata()) == 2}
    assert levels == {1, 0.9, 0.99}


def test_classes_are_drawn_of_the_last_checkpoint_and_others_before(shown: Report) -> None:
    table = frame(dissent_by_frequency, shown)
    assert len(table) == 20
    table = table.query("step == 64")
    tokens, rows = dissent_by_frequency.plot(shown).axes
    assert [text.get_text() for text in tokens.figure.legends[0].get_texts()] == [
        f"step {step}" for step in (0, 1, 16, 64)
    ]
    assert tokens.lines[-1].get_ydata() == pytest.approx(table.token_dissent)
    assert rows.lines[-1].get_ydata() == pytest.approx(table.rows_dissent)
    assert [tick.get_text() for tick in tokens.get_xticklabels()] == ["1+\n1", "4+\n10", "64+\n100", "1k+\n1k"]
    segments = [piece[:, 1] for lines in tokens.collections for piece in lines.get_segments()]  # type: ignore[attr-defined]
    assert len(segments) == 4 * 3  # the first class has no interval
    assert any(ends == pytest.approx(table[["token_dissent_low", "token_dissent_high"]].iloc[1]) for ends in segments)


def test_every_parameter_stands_in_the_row_of_its_layer(over: DissentOverTraining, shown: Report) -> None:
    assert dissent_by_part.layer_of_each(over.last) == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4
    many = checkpoint(1, 0.5, layers=12)
    homes = [many.layers[k].name for k in dissent_by_part.layer_of_each(many)]
    assert homes == [part.name.rpartition(".")[0] for part in many.parameters]
    table = frame(dissent_by_part, shown)
    axes = dissent_by_part.plot(shown).axes
    dots = [tuple(line.get_xydata()[0]) for line in axes[0].lines if len(line.get_xydata()) == 1]
    assert [x for x, _ in dots] == pytest.approx(table[table.kind != "layer"].dissent.tolist())


def test_cells_are_layers_at_checkpoints_and_the_body_last(over: DissentOverTraining, shown: Report) -> None:
    cells = dissent_by_layer_over_steps.cells(over)
    assert list(cells) == ["embed", "model.layers.0", "model.layers.1", "norm", "whole body"]
    assert cells["norm"] == pytest.approx([0.15, 0.35, 0.55, 0.75, 0.95])
    ax = dissent_by_layer_over_steps.plot(shown).axes[0]
    assert (ax.collections[0].get_array()[..., 3] > 0).sum() == 25  # opacity of the fields
    assert {"0.15", "0.950"} <= {text.get_text() for text in ax.texts}
    assert len(frame(dissent_by_layer_over_steps, shown)) == 25


def test_figures_without_something_to_show_are_left_out() -> None:
    assert drawn(over_training()) == list(FIGURES)
    assert drawn(DissentOverTraining("run", (checkpoint(3, 0.5),))) == ["dissent-by-frequency", "dissent-by-part"]
    assert drawn(over_training(body=False)) == ["dissent-over-steps", "dissent-by-frequency"]
    assert not drawn(DissentOverTraining("run", tuple(map(unknown, over_training().checkpoints))))
    frozen = report(over_training(head=False, body=False))
    assert len(dissent_by_frequency.plot(frozen).axes) == 1
    assert frame(dissent_over_steps, frozen)["head"].isna().all()


def test_without_dissent_nothing_is_said_and_with_two_runs_why() -> None:
    assert dissent.absent(Report("none", (Run("a"),))) == ""
    two = Report("two", tuple(Run(name, (over_training(),)) for name in "ab"))
    assert "2 runs" in dict(left_out(two))["Gradient dissent"]


@pytest.mark.parametrize("more", [{}, {"head": False, "body": False}])
def test_files(more: dict[str, bool], tmp_path: Path) -> None:
    over = over_training(**more)
    document = over.to_json() | {"errors": [{"source": "a", "message": "b"}]}
    page = folder.write(report(over), tmp_path, {"dissent.json": document}, "dissent.html")
    found = json.loads((tmp_path / "dissent.json").read_text())
    assert found["checkpoints"] == [record.to_json() for record in over.checkpoints]
    assert len(found["first_reached"]) == 4
    assert found["errors"] == [{"source": "a", "message": "b"}]
    rows = {name: len(pd.read_csv(tmp_path / f"{name}.csv")) for name in ("checkpoints", "frequency", "reached")}
    assert rows == {"checkpoints": 5, "frequency": 20, "reached": 4}
    if more.get("body", True):
        assert len(pd.read_csv(tmp_path / "parameters.csv")) == 80
    assert "=cmd." in page.read_text()
    for stem in drawn(over):
        for ending in (".svg", ".pdf", ".csv", "-column.pdf"):
            assert (tmp_path / "figures" / f"{stem}{ending}").stat().st_size > 100


def test_columns_of_the_tables_for_scripts(shown: Report) -> None:
    tables = {table.name: table for table in dissent.tables(shown) if table.name}
    reached = as_csv(tables["reached"]).splitlines()
    assert reached[0] == "of,level,step,loss,between_low,between_high,stays,reason"
    assert reached[2].startswith('head,0.99,,,,,,"not reached: at most 0.950')
    columns = as_csv(tables["checkpoints"]).splitlines()[0].split(",")
    assert columns[:9] == [
        *("step", "tokens_seen", "N", "n_sequences", "units", "n_units"),
        *("loss", "loss_low", "loss_high"),
    ]
    of_dissent = ["", "_low", "_high", "_5%", "_25%", "_50%", "_75%", "_95%", "_N", "_left_out"]
    assert {f"token_dissent{ending}" for ending in of_dissent} <= set(columns)
    assert {"head_dissent", "body_cancellation", "rows_magnitude_ratio_95%", "n_unlabelled"} <= set(columns)


@pytest.mark.parametrize("checkpoints", [1, 5])
def test_the_answer_fits_one_screen(checkpoints: int, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    over = DissentOverTraining("run", over_training().checkpoints[-checkpoints:])
    terminal.show(report(over))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("Step 64: mean loss 4.05")
    terminal.show(report(over), details=True)
    text = " ".join(capsys.readouterr().out.split())
    for words in ("40 rows of the head are no label", "=cmd.", "No interval for head and body", "whole body"):
        assert words in text, words
    assert ("reached at about step 45.3" in text) == (checkpoints == 5)


def test_the_answer_on_a_terminal_needs_no_matplotlib() -> None:
    code = (
        "import sys; from dissent_records import over_training, report; from zerosum.show import terminal; "
        "terminal.show(report(over_training()), details=True); assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent, stdout=subprocess.DEVNULL)


def test_records_show_themselves(over: DissentOverTraining) -> None:
    for record in (over, over.last):
        assert repr(record).startswith("Step 64: mean loss 4.05")
        assert len(repr(record).splitlines()) <= 12
        assert record.table().loc[record.table().index[-1], "token_dissent"] == pytest.approx(0.75)
        assert record.plot().axes
