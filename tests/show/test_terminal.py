"""The first screen of a report on one run with everything measured."""

from dataclasses import replace

from dissent_records import over_training
from gradient_records import over, records
from synthetic_suite import run_of

from zerosum.show import terminal
from zerosum.show.report import Report
from zerosum.show.section import present
from zerosum.show.terminal import SCREEN


def test_a_run_with_everything_measured_says_every_headline_on_one_screen(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    run = run_of("100k")
    run = replace(run, records=(*run.records, over(records()), over_training()))
    report = Report("run", (run,))
    terminal.show(report)
    text = capsys.readouterr().out
    assert len(text.splitlines()) <= SCREEN
    headlines = [headline for section in present(report) if (headline := section.headline(report))]
    assert len(headlines) >= 4
    for headline in headlines:
        assert " ".join(headline.split()) in " ".join(text.split())
    terminal.show(report, details=True)
    assert len(capsys.readouterr().out.splitlines()) > 2 * SCREEN
