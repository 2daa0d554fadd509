"""Colours and text of the documents that are shown token by token."""

import math

import numpy as np
import pytest

from zerosum.interference.labelled import DocumentChange, HeatMap, TokenChange
from zerosum.show.run import heat


def shown(changes, text=None):
    part = tuple(TokenChange(0, text, 0, k, change) for k, change in enumerate(changes))
    return heat.coloured(HeatMap(10, 20, (DocumentChange("doc", -1.0, len(part), (part,), 0, len(part)),), False, ()))


def test_a_token_without_a_change_has_no_colour():
    assert [token.level for token in shown([math.nan, 1.0]).documents[0].parts[0]] == [0, 5]


@pytest.mark.parametrize(("text", "parts"), [("a\n", ("a⏎", "\n")), (None, ("0", " ")), ("b", ("b", ""))])
def test_no_number_stands_after_a_line_break(text, parts):
    token = shown([1.0], text).documents[0].parts[0][0]
    assert (token.text, token.after) == parts


def test_colours_are_steps_of_the_scale_and_the_same_on_both_sides():
    x = [-4.0, 0.1, 0.5, 1.0, -0.1, -0.5, -1.0, 1e-3, 0.1, 0.1, 0.1, 0.1] * 5
    found = shown(x)
    levels = {round(one.change, 3): one.level for one in found.documents[0].parts[0]}
    assert found.scale == heat.nice(float(np.quantile(np.abs(x), 0.9)))
    assert {levels[value] + levels[-value] for value in (0.1, 0.5, 1.0)} == {0}
    for change, step in levels.items():
        exact = 5 * change / found.scale
        assert abs(step - max(-5, min(5, exact))) <= 0.5
    assert levels[-4.0] == -5


@pytest.mark.parametrize("value", [1e-9, 0.0019, 0.99, 1.0, 1.01, 6.9, 7.1, 123.4])
def test_the_scale_is_a_round_number_just_above(value):
    assert value <= heat.nice(value) <= 1.7 * value


def test_what_is_invisible_is_expand_option_groups_and_cannot_hide():
    assert heat.visible("a\r\n\tb") == "a␍⏎\n⇥b"
    assert heat.visible("\x1b[2J\u202e\x00") == "\ufffd[2J\ufffd\ufffd"
    assert heat.visible("") == "∅"
