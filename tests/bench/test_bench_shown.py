"""A bench shows itself: sentences, tables, figures, one screen; names of arms are text."""

import csv
import json
import math
import re
from dataclasses import replace

import pytest
from bench_results import made_up

from zerosum.bench.answer import answer
from zerosum.show import folder, terminal
from zerosum.show.records import report_on
from zerosum.show.report import Report
from zerosum.show.sections import bench as section
from zerosum.show.sections import bench_forest, bench_losses, bench_movement, bench_rates
from zerosum.show.table import Column, Table, Text, as_csv, as_latex

FIGURES = (bench_forest, bench_rates, bench_losses, bench_movement)


@pytest.fixture(scope="module")
def bench():
    return answer([made_up()])


@pytest.fixture(scope="module")
def report(bench):
    return Report("first", (), (bench,))


def test_a_sentence_for_each_arm(report):
    sentences = list(section.sentences(report))
    text = dict(sentence.split(" ", 1) for sentence in sentences)
    assert text["muon"].startswith("is better: held-out loss after the cooldown −0.01")
    assert "p\xa0=\xa0" in text["muon"]
    assert "8 pairs" in text["muon"]
    assert "The baseline needs 1.4" in text["muon"]
    assert re.search(r"pays less movement per nat: −0\.2\d+ \[.*\] of the baseline's 3\.64, loss 1\.9 to", text["muon"])
    assert text["lion"].startswith("is worse: held-out loss after the cooldown +0.0")
    assert "no difference above 0.003 nats per token; −0.00" in sentences[1]
    assert "undertuned, because its best rate" in sentences[4]
    assert "diverges, because 1 of 8 runs diverged" in sentences[5]
    assert "cannot tell, because neither a difference nor its absence is shown; needs n" in sentences[2]


def test_a_speed_up_is_no_more_certain_than_the_horizons_that_were_trained(bench):
    size = bench.sizes[0]
    muon = next(arm for arm in size.arms if arm.name == "muon")
    for interval, words in [
        ((1.2, math.inf), "[1.20,\xa0> 2.00]"),
        ((0.1, 1.6), "[< 0.50,\xa01.60]"),
        ((1.2, 1.6), "[1.20,\xa01.60]"),
    ]:
        speed = replace(muon.speed_up, multiple=replace(muon.speed_up.multiple, value=1.4, interval=interval))
        assert words in section.sentence(replace(muon, speed_up=speed), size)


def test_an_arm_that_takes_more_flops_a_token_is_said_to(bench):
    size = bench.sizes[0]
    muon = next(arm for arm in size.arms if arm.name == "muon")
    for ratio, times in [(1.0, "times the tokens for this loss."), (1.4, "> 1.43] times the FLOPs.")]:
        speed = replace(muon.speed_up, multiple=replace(muon.speed_up.multiple, value=1.4, interval=(1.2, math.inf)))
        text = section.sentence(replace(muon, speed_up=speed, flops_ratio=ratio), size)
        assert times in text
    assert "1.40 [1.20,\xa0> 2.00] times the tokens for this loss, 1.00 [0.86,\xa0> 1.43] times the FLOPs." in text
    beyond = replace(muon.speed_up, beyond="above")
    assert "more than 2 times the tokens for this loss, more than 1.43 times the FLOPs." in section.sentence(
        replace(muon, speed_up=beyond, flops_ratio=1.4), size
    )


def test_a_size_without_movement_leaves_its_panels_empty():
    report = Report("x", (), (answer([made_up(), without_movement(made_up(100_000, 64))]),))
    assert bench_movement.absent(report) is None
    fig = bench_movement.plot(report)
    assert "not measured yet" in " ".join(ax.get_title(loc="left") for ax in fig.axes)
    assert list(bench_movement.sentences(report))


def without_movement(result):
    def bare(arm):
        return replace(arm, runs=tuple(replace(run, movement={}) for run in arm.runs))

    return replace(result, baseline=bare(result.baseline), arms=tuple(map(bare, result.arms)))


def test_rates_of_arms_that_are_not_tuned_yet_are_not_named():
    result = made_up()
    arms = tuple(replace(arm, best_lr=math.nan, rates=()) if arm.name == "rho1" else arm for arm in result.arms)
    found = list(bench_rates.sentences(Report("x", (), (answer([replace(result, arms=arms)]),))))
    assert found[0].startswith("Best rates: adamw 0.00")
    assert not any("rho1" in sentence or "nan" in sentence for sentence in found)


def test_the_headline_names_arms_by_verdict(report):
    assert section.headline(report) == (
        "first, 25k parameters, 8 seeds, against adamw. better: muon; no difference: cautious; cannot tell: "
        "reweighting; worse: lion; undertuned: rho1; diverges: ademamix."
    )


def test_a_failed_null_arm_comes_first():
    result = made_up()
    lion = next(arm for arm in result.arms if arm.name == "lion")
    arms = tuple(replace(arm, runs=lion.runs) if arm.kind == "placebo" else arm for arm in result.arms)
    headline = section.headline(Report("x", (), (answer([replace(result, arms=arms)]),)))
    assert headline.startswith("The placebo, the baseline on another order of the data, differs from the baseline")


def test_arms_without_a_finished_run_are_in_no_legend():
    result = made_up()
    arms = tuple(replace(arm, runs=()) if arm.name == "muon" else arm for arm in result.arms)
    bench = Report("x", (), (answer([replace(result, arms=arms)]),))
    for figure in (bench_losses, bench_movement):
        entries = [text.get_text() for text in figure.plot(bench).legends[0].get_texts()]
        assert "cautious" in entries
        assert "muon" not in entries


def test_one_screen(report, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    terminal.show(report)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert sum("muon" in line for line in lines) >= 2


def test_every_size_is_in_the_first_answer_and_what_holds_for_all_is_said_once():
    small, large = made_up(), made_up(100_000, 64)
    noted = [
        replace(
            size,
            arms=tuple(replace(arm, notes=("other-second-rate",)) if arm.name == "muon" else arm for arm in size.arms),
            horizons=(),
        )
        for size in (small, large)
    ]
    lion = next(arm for arm in small.arms if arm.name == "lion")
    placebo = tuple(replace(arm, runs=lion.runs) if arm.kind == "placebo" else arm for arm in noted[0].arms)
    report = Report("x", (), (answer([replace(noted[0], arms=placebo), noted[1]]),))
    table, *texts = section.answer(report)
    assert "the largest of 2 sizes" in section.headline(report)
    assert [column.name for column in table.columns] == ["size", "arm", "verdict", "loss", "p", "M_per_nat"]
    names = [str(row[0].main) for row in table.rows]
    assert sorted(set(names)) == ["100k", "25k"]
    assert len(names) == 2 * names.count("25k")
    assert [text.split(" its second rate")[0] for text in texts if "second rate" in text] == ["25k, 100k: muon:"]
    assert any(text.startswith("25k: The placebo") and "differs from the baseline" in text for text in texts)
    assert any("over sizes" in text for text in texts)


def test_an_arm_that_is_not_tuned_at_a_size_yet_has_no_rate_there():
    sizes = [made_up(), made_up(50_000, 64), made_up(100_000, 96)]
    late = tuple(replace(arm, best_lr=math.nan, rates=(), runs=()) for arm in sizes[1].arms)
    found = answer([sizes[0], replace(sizes[1], arms=late), sizes[2]])
    json.dumps(found.to_json(), allow_nan=False)
    muon = next(one for one in found.over_sizes if one.name == "muon")
    assert muon.rate.N == 2
    assert muon.rate.interval is None
    ends = next(one for one in answer([sizes[0], sizes[2]]).over_sizes if one.name == "muon")
    assert muon.gain == ends.gain  # of the sizes that have pairs
    assert muon.gain.known


def test_words_stay_whole_in_the_tables_of_a_narrow_terminal(report, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for table in section.tables(report):
        terminal.say(table)
        said = capsys.readouterr().out
        for word in ("size", "25k", str(getattr(table.rows[0][1], "main", table.rows[0][1]))):
            assert re.search(rf"(^|\s){word}(\s|$)", said), (table.name, word)


def test_tables_have_every_difference(report, bench):
    tables = {table.name: table for table in section.tables(report)}
    assert set(tables) == {"bench", "bench-costs", "bench-differences", "bench-notes"}
    assert len(tables["bench"].rows) == len(tables["bench-costs"].rows) + 1 == 1 + len(bench.sizes[0].arms)
    muon = bench.sizes[0].arms[0]
    row = next(
        csv.DictReader(line for line in as_csv(tables["bench"]).splitlines() if not line.startswith("25k,adamw"))
    )
    assert float(row["p"]) == muon.differences["loss"].p
    assert float(row["tokens"]) == muon.cost["tokens"]
    assert float(row["loss_low"]) == muon.differences["loss"].mean.interval[0]
    measures = sum(len(arm.differences) for arm in bench.sizes[0].arms if arm.verdict)
    assert len(tables["bench-differences"].rows) == measures


def test_figures_have_their_numbers(report, bench):
    for figure in FIGURES:
        assert figure.absent(report) is None
        assert figure.numbers(report)
        assert figure.alt(report)
    loss = bench_forest.plot(report).axes[0]
    assert [text.get_text().split("\n")[0] for text in loss.get_yticklabels()][:2] == ["muon", "cautious"]
    assert len(bench_rates.plot(report).axes) == 1
    assert len(bench_movement.plot(report).axes) == 3
    rungs = [line for line in bench_losses.plot(report).axes[0].lines if line.get_linestyle() not in ("-", "None")]
    assert rungs


def test_a_record_prints_tables_and_plots(bench):
    assert len(repr(bench).splitlines()) <= 12
    assert "muon" in repr(bench)
    assert list(bench.table()["arm"])[:2] == ["adamw", "muon"]
    assert bench.plot().axes
    assert report_on(bench)


def test_a_bench_of_nothing_but_losses_is_shown(bench):
    def bare(arm):
        runs = tuple(replace(run, movement={}, curve=type(run.curve)()) for run in arm.runs)
        return replace(arm, runs=runs, rates=())

    result = made_up(seeds=(1, 2, 3))
    result = replace(result, baseline=bare(result.baseline), arms=tuple(map(bare, result.arms)), horizons=(), ngrams={})
    report = Report("bare", (), (answer([result]),))
    absent = [figure.absent(report) for figure in FIGURES]
    assert absent[0] is None
    assert all(absent[1:])
    assert len(list(section.sentences(report))) >= 8


def test_names_are_text(tmp_path, blank_figures):
    result = made_up()
    evil = "=<script>alert(1)</script>$\\x"
    arms = (replace(result.arms[0], name=evil), *result.arms[1:])
    two = answer([replace(result, name=evil, arms=arms), made_up(100_000, 64)])
    page = folder.write(Report("x", (), (two,)), tmp_path, {"bench.json": two.to_json()}, for_print=False)
    html = page.read_text()
    assert "<script>alert" not in html
    assert "'=<script>" in (tmp_path / "bench.csv").read_text()
    assert "25k: " in html
    assert {path.name for path in (tmp_path / "figures").glob("*.svg")} >= {"bench-forest.svg", "bench-movement.svg"}


def test_a_dash_and_a_yes_are_text_in_latex():
    table = Table("t", "", (Column("a"), Column("b"), Column("c")), (("x", Text("—"), True),))
    assert "x & --- & yes" in as_latex(table)


def test_other_reports_have_no_bench():
    assert [figure.absent(Report("x", ())) for figure in (section, *FIGURES)] == [""] * 5
