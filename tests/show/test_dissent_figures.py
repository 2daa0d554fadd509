"""Figures of dissent draw what their tables hold, cut nothing off, and stay readable with many layers."""

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from dissent_documents import FIRST_REACHED, document, over_training
from matplotlib.backends.backend_agg import FigureCanvasAgg

from zerosum.show.dissent.figures import FIGURES, figures_of, frequency, layers_over_steps, over_steps, parts
from zerosum.show.dissent.subject import DissentOverTraining
from zerosum.show.dissent.write import write_dissent
from zerosum.show.drawing import Layout


@pytest.fixture(scope="module")
def over() -> DissentOverTraining:
    return over_training()


@pytest.mark.parametrize("layout", get_args(Layout))
@pytest.mark.parametrize("layers", [2, 40])
@pytest.mark.parametrize("stem", FIGURES)
def test_nothing_is_cut_off(stem: str, layers: int, layout: Layout) -> None:
    over = over_training(layers=layers)
    fig = FIGURES[stem].plot(over, layout)
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    drawn = fig.get_tightbbox(canvas.get_renderer())  # inches
    width, height = fig.get_size_inches()
    assert min(drawn.x0, drawn.y0) >= 0
    assert drawn.x1 <= width
    assert drawn.y1 <= height
    assert len(FIGURES[stem].alt(over)) > 100


def test_every_series_over_steps_is_a_column_of_the_table(over: DissentOverTraining) -> None:
    table = over_steps.table(over)
    dissent, loss = over_steps.plot(over).axes
    drawn = [line.get_xydata() for line in dissent.lines if len(line.get_xydata()) == len(table)]
    for place in ("token", "rows", "head", "body"):
        assert any(np.array_equal(line, table[["step", place]].to_numpy()) for line in drawn), place
    assert np.array_equal(loss.lines[0].get_xydata(), table[["step", "loss"]].to_numpy())
    assert table["loss_low"].notna().all()


def test_what_is_reached_is_marked_in_both_panels(over: DissentOverTraining) -> None:
    dissent, loss = over_steps.plot(over).axes
    marks = [
        [tuple(line.get_xydata()[0]) for line in ax.lines if len(line.get_xydata()) == 1] for ax in (dissent, loss)
    ]
    assert marks == [[(30.0, 0.9)], [(30.0, 4.2)]]
    levels = {line.get_ydata()[0] for line in dissent.lines if len(line.get_xydata()) == 2}
    assert levels == {1, 0.9, 0.99}


def test_classes_are_drawn_of_the_last_checkpoint_and_others_before(over: DissentOverTraining) -> None:
    assert [one["step"] for one in frequency.chosen(over)] == [0, 1, 16, 64]
    table = frequency.table(over).query("step == 64")
    tokens, rows = frequency.plot(over).axes
    assert tokens.lines[-1].get_ydata() == pytest.approx(table.token_dissent)
    assert rows.lines[-1].get_ydata() == pytest.approx(table.rows_dissent)
    assert [tick.get_text() for tick in tokens.get_xticklabels()] == ["1+\n1", "4+\n10", "64+\n100", "1k+\n1k"]
    segments = [piece[:, 1] for one in tokens.collections for piece in one.get_segments()]  # type: ignore[attr-defined]
    assert len(segments) == 4 * 3  # the first class has no interval
    assert any(ends == pytest.approx(table[["token_dissent_low", "token_dissent_high"]].iloc[1]) for ends in segments)


def test_every_parameter_stands_in_the_row_of_its_layer(over: DissentOverTraining) -> None:
    assert parts.layer_of_each(over.last) == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4
    many = document(1, 0.5, layers=12)
    found = parts.layer_of_each(many)
    homes = [many["layers"][k]["name"] for k in found]
    assert homes == [one["name"].rpartition(".")[0] for one in many["parameters"]]
    table = parts.table(over)
    dots = [tuple(line.get_xydata()[0]) for line in parts.plot(over).axes[0].lines if len(line.get_xydata()) == 1]
    assert [x for x, _ in dots] == pytest.approx(table[table.kind != "layer"].dissent.tolist())


def test_cells_are_layers_at_checkpoints_and_the_body_last(over: DissentOverTraining) -> None:
    cells = layers_over_steps.cells(over)
    assert list(cells) == ["embed", "model.layers.0", "model.layers.1", "norm", "whole body"]
    assert cells["norm"] == pytest.approx([0.15, 0.35, 0.55, 0.75, 0.95])
    ax = layers_over_steps.plot(over).axes[0]
    assert len(ax.patches) == 25
    assert {"0.15", "0.950"} <= {text.get_text() for text in ax.texts}
    assert len(layers_over_steps.table(over)) == 25


def unknown(tree: Any) -> Any:
    """The same document where every dissent is null."""
    if isinstance(tree, list):
        return [unknown(one) for one in tree]
    if not isinstance(tree, dict):
        return tree
    none = {"mean": None, "interval": None, "quantiles": {}, "N": 0, "left_out": 9}
    return {
        name: (none if isinstance(value, dict) else None) if name == "dissent" else unknown(value)
        for name, value in tree.items()
    }


def test_figures_without_something_to_show_are_left_out() -> None:
    assert list(figures_of(over_training())) == list(FIGURES)
    alone = DissentOverTraining((document(3, 0.5),))
    assert list(figures_of(alone)) == ["dissent-by-frequency", "dissent-by-part"]
    assert list(figures_of(over_training(body=False))) == ["dissent-over-steps", "dissent-by-frequency"]
    assert not figures_of(DissentOverTraining(tuple(map(unknown, over_training().documents))))
    frozen = over_training(head=False, body=False)
    assert len(frequency.plot(frozen).axes) == 1
    assert over_steps.table(frozen)["head"].isna().all()


@pytest.mark.parametrize("more", [{}, {"head": False, "body": False}])
def test_files(more: dict[str, bool], tmp_path: Path) -> None:
    over = over_training(**more)
    write_dissent(over, tmp_path, [{"source": "a", "message": "b"}])
    found = json.loads((tmp_path / "dissent.json").read_text())
    assert found["checkpoints"] == list(over.documents)
    assert (found["first_reached"], found["errors"]) == (FIRST_REACHED, [{"source": "a", "message": "b"}])
    rows = {name: len(pd.read_csv(tmp_path / f"{name}.csv")) for name in ("checkpoints", "frequency", "reached")}
    assert rows == {"checkpoints": 5, "frequency": 20, "reached": 2}
    assert len(pd.read_csv(tmp_path / "parameters.csv")) == (80 if more.get("body", True) else 0)
    for stem in figures_of(over):
        for ending in (".svg", ".pdf", ".csv", "-column.pdf"):
            assert (tmp_path / "figures" / f"{stem}{ending}").stat().st_size > 100
