"""Sections on groups of tokens: exact splits, who pays, and what a store without coordinates lacks."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from losses_reports import hostile_findings, report_on
from run_stores import STEPS, hostile_store

from zerosum.interference.labelled import findings_of
from zerosum.show.report import Report, Run
from zerosum.show.section import left_out, present
from zerosum.show.sections import concordance, documents, groups, groups_over_time, where

SINGLE = ("groups", "groups-over-time", "where", "concordance", "documents")


@pytest.fixture(scope="module")
def findings():
    return hostile_findings()


def test_groups_add_up_to_the_whole_at_every_pair(findings):
    table = pd.DataFrame(groups.numbers(report_on(findings)))
    assert set(table["by"]) == {
        *("document", "domain", "first-loss", "initial-loss", "position", "token-class", "token-frequency")
    }
    loss = hostile_store()["loss"].to_numpy().astype(np.float64)
    for (_, start, end), rows in table.groupby(["by", "from_step", "to_step"]):
        x = loss[STEPS.index(end)] - loss[STEPS.index(start)]
        x = x[np.isfinite(x)]
        assert rows["w"].sum() == pytest.approx(1)
        assert rows["w_R"].sum() == pytest.approx(x.sum() / np.abs(x).sum())
        assert rows["N"].sum() == x.size


def test_bars_of_a_panel_are_all_movement_and_the_paying_class_is_on_the_other_side(findings):
    figure = groups.plot(report_on(findings))
    by_class = next(ax for ax in figure.axes if ax.get_title("left") == "by token-class")
    widths = [bar.get_width() for bar in by_class.patches]
    assert sum(map(abs, widths)) == pytest.approx(100)
    cells = next(groups_over_time.rows_of(split) for split in findings.groups if split.by == "token-class")
    assert min(cells["digit"]) > 0 > max(cells["punctuation"])
    sentence = next(text for text in groups.sentences(report_on(findings)) if text.startswith("By token-class"))
    assert "digit rose while the mean loss fell" in sentence


def test_a_store_without_tokenizer_and_documents_names_what_it_lacks():
    store = hostile_store()
    bare = findings_of(store.drop_vars(["document", "domain"]))
    assert {gap.what for gap in bare.left_out} == {
        *("Groups by document", "Groups by domain", "Groups by token-class", "Documents token by token")
    }
    assert bare.heat is None
    assert documents.html(report_on(bare)) == ""
    ids = findings_of(store, documents=1)
    assert not ids.heat.decoded
    token = ids.heat.documents[0].parts[0][0]
    assert token.text is None
    assert documents.shown_text(token) == (str(token.id), " ")
    assert any("name its folder with --tokenizer" in text for text in documents.sentences(report_on(ids)))


def test_other_steps_for_the_heat_map():
    store = hostile_store()
    token = findings_of(store, between=(1, 8), documents=1).heat.documents[0].parts[0][1]
    loss = store["loss"].to_numpy().astype(np.float64)
    expected = loss[-1, token.sequence, token.position] - loss[1, token.sequence, token.position]
    assert token.change == pytest.approx(expected)


def test_factors_are_drawn_and_tabled_for_every_grouping(findings):
    report = report_on(findings)
    (table,) = where.tables(report)
    drawn = [ax for ax in where.plot(report).axes if ax.get_visible()]
    assert len(table.rows) == len(findings.groups) == len(drawn)
    for row in where.numbers(report):
        assert row["C_between"] * row["C_within"] == pytest.approx(row["C"], abs=1e-12)


def test_agreement_is_drawn_hollow_where_a_checkpoint_is_shared(findings):
    left, right = concordance.plot(report_on(findings)).axes
    faces = {line.get_markerfacecolor() for line in left.lines if line.get_marker() == "o"}
    assert len(faces) == len({row.shares_checkpoint for row in findings.found.persistence}) == 2
    assert len(right.patches) == len(findings.found.worse_often.times)
    rows = concordance.numbers(report_on(findings))
    assert [row["excess"] for row in rows] == [row.found.excess for row in findings.found.persistence]


def test_several_runs_are_asked_for_one_at_a_time(findings):
    several = Report("two", (Run("a", (findings,)), Run("b", (findings,))))
    stems = {section.stem for section in present(several)}
    assert not stems & set(SINGLE)
    reasons = dict(left_out(several))
    assert {reasons[title] for title in (groups.TITLE, concordance.TITLE, documents.TITLE)} == {
        "2 runs have it; it is shown for one run at a time: zerosum report RUN"
    }
    assert not {groups_over_time.TITLE, where.TITLE} & reasons.keys()
    assert set(SINGLE) <= {section.stem for section in present(report_on(findings))}
    assert not [title for title, _ in left_out(report_on(findings)) if title == groups.TITLE]


def test_nothing_measured_shows_nothing(findings):
    bare = dataclasses.replace(findings, groups=(), heat=None, found=dataclasses.replace(findings.found, moved={}))
    stems = {section.stem for section in present(report_on(bare))}
    assert {"interference", "concordance"} <= stems
    assert not {"groups", "groups-over-time", "where", "documents"} & stems
