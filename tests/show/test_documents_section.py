"""Colours and text of the documents that are shown token by token."""

import math

import numpy as np
import pytest
from losses_reports import hostile_findings, report_on

from zerosum.interference.labelled import DocumentChange, HeatMap, TokenChange
from zerosum.show.sections import documents


def heat_of(changes):
    part = tuple(TokenChange(0, None, 0, k, change) for k, change in enumerate(changes))
    return HeatMap(10, 20, (DocumentChange("doc", -1.0, len(part), (part,), 0, len(part)),), False, ())


def test_a_token_without_a_change_has_no_colour():
    assert [documents.level(change, 1.0) for change in (math.nan, 1.0)] == [0, 5]
    assert "<i title=" in documents._token(TokenChange(7, "a", 0, -1, math.nan), 1.0)


@pytest.mark.parametrize(("text", "parts"), [("a\n", ("a⏎", "\n")), (None, ("0", " ")), ("b", ("b", ""))])
def test_no_number_stands_after_a_line_break(text, parts):
    assert documents.shown_text(TokenChange(0, text, 0, 0, 1.0)) == parts
    assert documents._token(TokenChange(0, text, 0, 0, 1.0), 1.0).endswith(f"</sub></span>{parts[1]}")


def test_colours_are_steps_of_the_scale_and_the_same_on_both_sides():
    x = [-4.0, 0.1, 0.5, 1.0, -0.1, -0.5, -1.0, 1e-3, 0.1, 0.1, 0.1, 0.1] * 5
    scale = documents.scale_of(heat_of([*x, math.nan]))
    assert scale == documents.round_up(float(np.quantile(np.abs(x), 0.9)))
    levels = {change: documents.level(change, scale) for change in x}
    assert {levels[value] + levels[-value] for value in (0.1, 0.5, 1.0)} == {0}
    for change, step in levels.items():
        assert abs(step - max(-5, min(5, 5 * change / scale))) <= 0.5
    assert levels[-4.0] == -5


@pytest.mark.parametrize("value", [1e-9, 0.0019, 0.99, 1.0, 1.01, 6.9, 7.1, 123.4])
def test_the_scale_is_a_round_number_just_above(value):
    assert value <= documents.round_up(value) <= 1.7 * value


def test_invisible_characters_are_spelled_out_and_cannot_hide():
    assert documents.visible("a\r\n\tb") == "a␍⏎\n⇥b"
    assert documents.visible("\x1b[2J\u202e\x00") == "\ufffd[2J\ufffd\ufffd"
    assert documents.visible("") == "∅"


def test_tokens_that_moved_most_stand_in_a_table_with_their_text():
    report = report_on(hostile_findings())
    moved, csv = documents.tables(report)
    assert {row[0] for row in moved.rows} == {"one prediction", "all of one id", "document"}
    assert all(row[4].main.startswith(("›", "<b")) or "›" in row[4].main for row in moved.rows)
    assert csv.name == "figures/documents"
    assert not csv.shown_on("page")[0]
