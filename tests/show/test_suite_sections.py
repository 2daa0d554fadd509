"""What is said of several runs: what was trained, every run in a row, means over seeds, and all of it on a terminal."""

import dataclasses
import io

import pytest
from rich.console import Console
from synthetic_suite import suite, with_findings

from zerosum.comparison import AcrossSeeds
from zerosum.deceleration import Analysis
from zerosum.estimate import Estimate
from zerosum.interference.labelled import StoreFindings
from zerosum.runs import RunFacts
from zerosum.show import terminal
from zerosum.show.page import html
from zerosum.show.report import Report, Run
from zerosum.show.section import present
from zerosum.show.sections import runs, seeds, trained
from zerosum.show.table import Text, on_page


def with_recipes(report: Report, **recipes: object) -> Report:
    """Every run with a recipe of its own, by the name of the run."""
    changed = []
    for run in report.runs:
        facts, *others = run.records
        changed.append(
            dataclasses.replace(run, records=(dataclasses.replace(facts, recipe=recipes.get(run.name, {})), *others))
        )
    return dataclasses.replace(report, runs=tuple(changed))


def test_models_and_steps_are_counted(three_sizes: Report) -> None:
    text = " ".join(trained.sentences(three_sizes))
    assert text.startswith(
        "Three language models of 26,000 to 240,000 parameters were trained for 2,048 steps each, with"
    )
    one = dataclasses.replace(three_sizes, runs=three_sizes.runs[:1])
    assert next(iter(trained.sentences(one))).startswith(
        "One language model of 26,000 parameters was trained for 2,048 steps, with"
    )
    assert "from two random seeds," in next(iter(trained.sentences(suite(("26k",), seeds=2))))


def test_text_layers_and_learning_rates_are_said_where_recorded(three_sizes: Report) -> None:
    rates = {"26k": 0.0007, "100k": 0.0002, "240k": 0.0001}
    recipes = {name: {"optimizer": {"lr": rate}, "model": {"layers": 1}} for name, rate in rates.items()}
    report = dataclasses.replace(with_recipes(three_sizes, **recipes), provenance={"text": "source code."})
    text = " ".join(trained.sentences(report))
    assert "Text: source code. Each model has 1 layer." in text
    assert "0.0007 for 26k" in text
    assert text.endswith("so this is not a comparison of size alone.")
    for odd in ({}, {"26k": {"model": None, "optimizer": {"lr": "x"}}}):
        assert " ".join(trained.sentences(with_recipes(three_sizes, **odd))).endswith("text in every step.")


def test_the_page_explains_both_ideas_to_newcomers(three_sizes: Report) -> None:
    page = html(three_sizes, {}, [])
    assert "<h3>Loss deceleration</h3>" in page
    assert "<h3>Zero-sum learning</h3>" in page
    assert trained.absent(Report("a curve", (Run("a", three_sizes.runs[0].records[1:]),))) == ""


def test_every_run_has_its_size_loss_and_D_with_intervals(three_sizes: Report) -> None:
    page = html(three_sizes, {}, [])
    for run in three_sizes.runs:
        findings = run.get(StoreFindings)
        assert findings
        low, high = findings.found.pairs[-1].measured.interval.D  # type: ignore[union-attr]
        assert f"[{low:.3f},\xa0{high:.3f}]" in page
        assert f"{run.get(RunFacts).n_params:,}" in page  # type: ignore[union-attr]
    assert "N = 4,096 token losses" in page


def test_a_run_that_was_not_measured_has_no_number(three_sizes: Report) -> None:
    facts, analysis, _ = three_sizes.runs[0].records
    report = dataclasses.replace(three_sizes, runs=(Run("bare", (facts, analysis), 0),))
    (table,) = runs.tables(report)
    assert on_page(table)[0][-1] == Text("—", note="not measured")
    empty = with_findings(three_sizes.runs[0], lambda found: dataclasses.replace(found, mean_losses=()))
    (table,) = runs.tables(dataclasses.replace(three_sizes, runs=(empty,)))
    assert on_page(table)[0][-3].main == "—"


def test_seeds_are_on_the_page_where_there_are_some(three_sizes: Report) -> None:
    assert seeds.absent(three_sizes) == ""
    both = suite(("26k", "100k"), seeds=2)
    (size, other) = both.across(AcrossSeeds)
    texts = list(seeds.sentences(both))
    assert texts[0].startswith("26k, N\xa0=\xa02 seeds: the loss bent at t_d\xa0=\xa0")
    assert f"D was {size.D[0].D.value:.3f}"[:10] in texts[1]
    (table,) = seeds.tables(both)
    assert [row[0] for row in table.rows] == ["26k", "100k"]
    assert table.rows[1][3] == other.t_d
    assert [section.title for section in present(both)].count("Over seeds") == 1


def test_seeds_that_gave_no_break_are_counted_out() -> None:
    whole = Estimate(2.0, (1.9, 2.1), N=3, of="seeds")
    partial = Estimate(170.0, None, "1 of 3 seeds give it", 1, "seeds")
    report = Report("", (), (AcrossSeeds("a", 10, (0, 1, 2), whole, partial, whole, whole, ()),))
    (text,) = seeds.sentences(report)
    assert text.startswith("a, N\xa0=\xa03 seeds: the loss bent at t_d\xa0=\xa0170")
    assert "(N\xa0=\xa01 seeds; no interval: 1 of 3 seeds give it)" in text


def shown(report: Report, width: int, monkeypatch: pytest.MonkeyPatch, details: bool = False) -> list[str]:
    console = Console(width=width, file=io.StringIO(), highlight=False, markup=False, emoji=False)
    monkeypatch.setattr(terminal, "screen", lambda: console)
    terminal.show(report, details)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("width", [60, 80, 100])
def test_the_terminal_has_every_number_whole(three_sizes: Report, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(three_sizes, width, monkeypatch)
    text = "\n".join(lines)
    assert max(map(len, lines)) <= width
    for run in three_sizes.runs:
        fit = run.get(Analysis).fit  # type: ignore[union-attr]
        assert run.name in text
        assert f"{fit.t_d:.0f}" in text
        assert f"{run.get(StoreFindings).last.measured.D:.3f}" in text  # type: ignore[union-attr]
    assert "4,096" in text  # N


def test_hostile_names_are_shown_as_they_are(three_sizes: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    named = dataclasses.replace(three_sizes.runs[0], name="[red]\x1b[31m[/red]")
    text = "\n".join(shown(dataclasses.replace(three_sizes, runs=(named,)), 120, monkeypatch, details=True))
    assert "[red]\ufffd[31m[/red]" in text
    assert "\x1b" not in text


def test_what_cannot_be_told_has_no_number(
    three_sizes: Report, short_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "\n".join(shown(dataclasses.replace(three_sizes, runs=(short_run,)), 100, monkeypatch))
    assert "cannot" in text
    assert f"{short_run.records[1].fit.t_d:.0f} " not in text
