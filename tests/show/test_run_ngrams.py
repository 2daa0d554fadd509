"""The n-gram ladder of a run: written once, read with the run, and noted beside its fit."""

import json

import numpy as np
import pytest
from simulated_logs import curve_of

from zerosum import InputError
from zerosum.deceleration import fit
from zerosum.runs import NGRAMS, ngrams_of, read_run, write_ngrams
from zerosum.show.report import Report, Run
from zerosum.show.sections import curves
from zerosum.show.sections import ngrams as section
from zerosum.tokens.ngrams import NgramLadder


def ladder_of(*losses: float, seconds: float | None = 1.0) -> NgramLadder:
    return NgramLadder(list(losses), 257, 1000, 1000, 50, seconds)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run directory whose curve breaks at the loss of its bigram model."""
    folder, curve = tmp_path_factory.mktemp("runs") / "a", curve_of("a")
    folder.mkdir()
    rows = zip(curve.step.tolist(), curve.loss.tolist(), strict=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps({"step": s, "loss": x}) + "\n" for s, x in rows))
    write_ngrams(folder, ladder_of(50.0, fit(curve).L_d, 2.6, 0.1))
    return folder


def codes(measured):
    return [reason.code for reason in measured.records[0].fit.reasons]


def report_of(measured):
    return Report(measured.name, (Run(measured.name, measured.records),))


def test_a_written_ladder_is_read_with_its_run_and_noted(run):
    measured = read_run(run)
    assert measured.get(NgramLadder) == ngrams_of(run) == ngrams_of(run / "metrics.jsonl")
    assert "n-gram-stage" in codes(measured)
    assert ngrams_of(run / "other.csv") is None


def test_rungs_within_the_axis_are_lines_with_a_name_in_figure_and_text(run):
    report = report_of(read_run(run))
    ladder = report.each(NgramLadder)[0][1]
    fig = curves.plot(report)
    drawn = [
        line.get_ydata()[0] for line in fig.axes[0].lines if np.ptp(line.get_ydata()) == 0 and len(line.get_ydata()) > 1
    ]
    assert drawn == sorted(ladder.losses[1:3])
    assert {"bigram", "trigram"} == {text.get_text() for text in fig.axes[0].texts} & {"unigram", "bigram", "trigram"}
    assert any("n-gram" in text.get_text() for text in fig.legends[0].get_texts())
    assert "trigram 2.60" in curves.alt(report)
    (table,) = section.tables(report)
    assert [row[1] for row in table.rows] == ["unigram", "bigram", "trigram", "4-gram"]


def test_a_run_without_a_ladder_shows_nothing_and_a_damaged_one_takes_nothing_else(run, tmp_path):
    log = (run / "metrics.jsonl").read_text()
    (tmp_path / "metrics.jsonl").write_text(log)
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
