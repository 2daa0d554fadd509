"""Where over training dissent first reaches a level."""

import math

import pytest

from zerosum.dissent import first_reached


def test_levels_are_reached_between_checkpoints():
    steps, losses = [0, 1, 4, 16, 64], [9.0, 8.0, 6.0, 5.0, 4.0]
    found = first_reached(steps, losses, [0.0, 0.5, 0.8, 1.0, 0.85], 0.9)
    assert (found.step, found.loss, found.between, found.stays) == (pytest.approx(8.0), 5.5, (4, 16), False)
    found = first_reached(steps, losses, [0.5, math.nan, 1.0, 1.0, 1.0], 0.75)
    assert (found.step, found.loss, found.between, found.stays) == (2.0, 7.5, (0, 4), True)
    assert found.to_json()["between"] == [0, 4]
    for values, words in (
        ([0.9, 1.0, 1.0, 1.0, 1.0], "at the first checkpoint"),
        ([0.1, 0.2, 0.7, 0.3, math.nan], "at most 0.700, at step 4"),
        ([0.1, 0.2, 0.899_96, 0.3, 0.4], "at most 0.89996, at step 4"),
        ([math.nan] * 5, "not known"),
    ):
        missing = first_reached(steps, losses, values, 0.9)
        assert math.isnan(missing.step)
        assert words in missing.reason
        assert missing.to_json()["step"] is None


def test_each_case_has_its_code():
    steps, losses = [1, 4, 16], [8.0, 6.0, 5.0]
    cases = {
        "reached": [0.5, 0.8, 1.0],
        "at-first-checkpoint": [0.95, 1.0, 1.0],
        "not-reached": [0.5, 0.6, 0.7],
        "unknown": [math.nan] * 3,
    }
    for code, values in cases.items():
        assert first_reached(steps, losses, values, 0.9).code == code
        assert "code" not in first_reached(steps, losses, values, 0.9).to_json()
