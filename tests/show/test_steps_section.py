"""The section on real optimizer steps: answer, tables, figure and files."""

import csv
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from zerosum.interference.labelled import BatchStep, CheckpointSteps, measure_changes
from zerosum.show import folder, terminal
from zerosum.show.report import Report, Run
from zerosum.show.sections import steps as section

SETTINGS = {"name": "AdamW", "state": "optimizer.pt", "lr": 1e-3, "beta1": 0.9, "clip": None}


def report_of(n_batches: int, *, heldout_sequences: int = 40) -> Report:
    """A report on simulated steps; each batch has 30 sequences of 10 tokens."""
    rng = np.random.default_rng(0)
    batches = []
    for _ in range(n_batches):
        changes = {}
        for split, drift, sequences in (("batch", -0.1, 30), ("heldout", 0.02, heldout_sequences)):
            before = rng.normal(3, 1, (sequences, 10))
            changes[split] = measure_changes(before, before + rng.normal(drift, 0.1, before.shape))
        batches.append(BatchStep((0, 1, 2), 0.7, changes))
    record = CheckpointSteps("run/checkpoint-3", 3, SETTINGS, ("a note",), 10, tuple(batches))
    return Report("checkpoint-3", (Run("checkpoint-3", (record,)),))


def record_of(report: Report) -> CheckpointSteps:
    return report.runs[0].records[0]


def printed(capsys: pytest.CaptureFixture[str], report: Report, **how: bool) -> str:
    terminal.show(report, **how)
    return capsys.readouterr().out


def test_the_answer_fits_one_screen(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = printed(capsys, report_of(8))
    lines = text.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    words = " ".join(text.split())
    assert "Training batch: the mean loss fell by" in words
    assert "Held-out: the mean loss rose by" in words
    assert "Note: a note." in words
    assert "Each batch" not in words


def test_details_show_each_batch(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    words = " ".join(printed(capsys, report_of(3), details=True).split())
    assert "Each batch" in words
    assert "3 × 3 sequences of up to 10 tokens, float32, no dropout; the checkpoint is only read" in words


def test_different_N_is_warned_of_and_equal_N_is_not():
    warning = "read each row against its own chance"
    assert any(warning in sentence for sentence in section.sentences(report_of(2)))
    assert not any(warning in sentence for sentence in section.sentences(report_of(2, heldout_sequences=30)))


def test_a_single_batch_without_interval_says_why():
    report = report_of(1, heldout_sequences=10)
    assert any(sentence.startswith("No interval: ") for sentence in section.sentences(report))


@pytest.mark.parametrize("layout", ["wide", "narrow"])
@pytest.mark.parametrize("n_batches", [1, 30])
def test_the_figure_draws_every_batch(layout, n_batches):
    report = report_of(n_batches)
    figure = section.plot(report, layout)
    FigureCanvasAgg(figure).draw()
    for split, axes in zip(("batch", "heldout"), figure.axes, strict=True):
        drawn = next(line.get_ydata() for line in axes.lines if line.get_marker() == "o")
        assert list(drawn) == [batch.changes[split].measured.D for batch in record_of(report).batches]
    assert len(section.numbers(report)) == 2 * n_batches
    assert "held-out D" in section.alt(report)


def test_the_folder_has_page_tables_and_figure(tmp_path):
    record = replace(record_of(report_of(2)), notes=("=HYPERLINK(1) & <script>",))
    report = Report("<b>name", (Run("<b>name", (record,)),))
    page = folder.write(report, tmp_path, {"steps.json": {"steps": [record.to_json()]}}, "steps.html")
    html = page.read_text()
    assert "<script>" not in html
    assert "<b>name" not in html
    assert json.loads((tmp_path / "steps.json").read_text())["steps"][0]["step"] == 3
    means = list(csv.DictReader((tmp_path / "step_means.csv").open()))
    assert [row["split"] for row in means] == ["batch", "heldout"]
    assert float(means[0]["D"]) == record.mean("D", "batch").value
    assert float(means[0]["D_low"]) == record.mean("D", "batch").interval[0]
    assert "toprule" in (tmp_path / "step_batches.tex").read_text()
    assert len(list(csv.DictReader((tmp_path / "figures" / "steps.csv").open()))) == 4


def test_a_record_shows_itself():
    record = record_of(report_of(3))
    assert len(repr(record).splitlines()) <= 12
    assert "Training batch: the mean loss fell" in repr(record)
    assert record.table()["n_batches"].tolist() == [3, 3]
    assert len(record.plot().axes) == 2


def test_an_answer_loads_no_matplotlib():
    code = (
        "import sys; from zerosum.interference.labelled import *; from zerosum.show import terminal;"
        "import numpy as np;"
        "from zerosum.show.report import Report, Run; x = np.arange(20.0).reshape(4, 5);"
        "c = measure_changes(x, x + 1);"
        "s = CheckpointSteps('a', 1, {'name': 'SGD', 'state': None, 'clip': 1.0}, (), 5, (BatchStep((0,), 1.0, "
        "{'batch': c, 'heldout': c}),)); terminal.show(Report('a', (Run('a', (s,)),)));"
        "assert 'matplotlib' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
