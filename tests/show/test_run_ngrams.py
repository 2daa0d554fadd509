"""The n-gram ladder of a run: written once, read with the run, drawn with its losses, and noted beside its fit."""

import json

import numpy as np
import pytest
from simulated_logs import analysis_of, curve_of

from zerosum import InputError, deceleration
from zerosum.cli.output import curves_report
from zerosum.runs import NGRAMS, RunDirectory, ngrams_of, read_run, write_ngrams
from zerosum.show.report import Report, Run
from zerosum.show.sections import curves, forecasts
from zerosum.show.sections import ngrams as section
from zerosum.tokens.ngrams import NgramLadder

NAMES = ["unigram", "bigram", "trigram", "4-gram"]


def ladder_of(*losses: float, seconds: float | None = 1.0) -> NgramLadder:
    return NgramLadder(list(losses), 257, 1000, 1000, 50, seconds)


@pytest.fixture(scope="module", autouse=True)
def quick_analysis():
    """Fits are real; forecasts are made up."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deceleration, "analyse", lambda curve, **_: analysis_of(curve))
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run directory whose curve breaks at the loss of its bigram model."""
    folder, curve = tmp_path_factory.mktemp("runs") / "a", curve_of("a")
    folder.mkdir()
    rows = zip(curve.step.tolist(), curve.loss.tolist(), strict=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps({"step": s, "loss": x}) + "\n" for s, x in rows))
    write_ngrams(folder, ladder_of(50.0, deceleration.fit(curve).L_d, 2.84, 0.1))
    return folder


@pytest.fixture(scope="module")
def measured(run):
    return read_run(run)


def codes(measured):
    return [reason.code for reason in measured.records[0].fit.reasons]


def report_of(measured):
    return Report(measured.name, (Run(measured.name, measured.records),))


def level_lines(ax):
    return {
        float(line.get_ydata()[0]) for line in ax.lines if len(line.get_ydata()) > 1 and not np.ptp(line.get_ydata())
    }


def test_a_written_ladder_is_read_with_its_run_and_noted(run, measured):
    assert measured.get(NgramLadder) == ngrams_of(run) == ngrams_of(run / "metrics.jsonl")
    assert "n-gram-stage" in codes(measured)
    assert ngrams_of(run / "other.csv") is None


@pytest.mark.parametrize("drawn", [curves, forecasts])
def test_rungs_within_the_axis_are_lines_with_a_name(measured, drawn):
    report = report_of(measured)
    fig = drawn.plot(report)
    ax = fig.axes[0]
    low, high = ax.get_ylim()
    inside = {loss for loss in measured.get(NgramLadder).losses if low < loss < high}
    assert inside
    assert inside == level_lines(ax) & set(measured.get(NgramLadder).losses)
    names = [name for name, loss in zip(NAMES, measured.get(NgramLadder).losses, strict=True) if loss in inside]
    assert sorted(text.get_text() for text in ax.texts if text.get_text() in NAMES) == sorted(names)
    assert any("n-gram" in text.get_text() for text in fig.legends[0].get_texts())


def test_pages_of_fit_and_compare_have_the_ladder_of_each_run(run, measured):
    analysis = analysis_of(RunDirectory(run).curve())
    report = curves_report([analysis, analysis_of(curve_of("b"))])
    assert report.each(NgramLadder) == [(report.labels[0], measured.get(NgramLadder))]
    (table,) = section.tables(report)
    assert [row[1] for row in table.rows] == NAMES
    assert "n-gram" in curves.alt(report)


def test_a_run_without_a_ladder_shows_nothing_and_a_damaged_one_takes_nothing_else(run, tmp_path):
    (tmp_path / "metrics.jsonl").write_text((run / "metrics.jsonl").read_text())
    report = report_of(read_run(tmp_path))
    assert section.absent(report) == ""
    assert "n-gram" not in curves.alt(report) + str([t.get_text() for t in curves.plot(report).legends[0].get_texts()])
    whole = (run / NGRAMS).read_text()
    for damaged in ("", "[]", whole[:-9], whole.replace("257", "NaN"), "[" * 100_000, whole.replace("witten", "x")):
        (tmp_path / NGRAMS).write_text(damaged)
        with pytest.raises(InputError, match="Delete it") as refused:
            ngrams_of(tmp_path)
        assert "\n" not in str(refused.value)
    measured = read_run(tmp_path)
    assert "n-gram-stage" not in codes(measured)
    assert [gap.what for gap in measured.missing if gap.code == "unusable"] == ["Losses of n-gram models"]


def test_runs_on_the_same_text_share_their_rows():
    records = [ladder_of(3.0, 2.0), ladder_of(3.0, 2.0, seconds=2.0), ladder_of(3.1, 2.0)]
    report = Report("three", tuple(Run(name, (record,)) for name, record in zip("abc", records, strict=True)))
    (table,) = section.tables(report)
    assert [row[0] for row in table.rows] == ["a, b", "a, b", "c", "c"]
    assert len(list(section.sentences(report))) == 2
