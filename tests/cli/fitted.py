"""Fits of the logs of these tests, each computed once, and what is asked of their output."""

import pytest

from zerosum import deceleration

KNOWN = {}


@pytest.fixture(scope="module")
def analysed_once():
    """What takes a second for each curve is done once for each."""
    known, analyse = KNOWN, deceleration.analyse

    def once(curve, **options):
        key = (curve.source, curve.loss.tobytes(), repr(options))
        known[key] = known.get(key) or analyse(curve, **options)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deceleration, "analyse", once)
        yield


def words_of(text):
    return " ".join(text.split())


def check_nulls(value):
    """No null without its reason beside it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            assert inner is not None or value[f"{name}_reason"], name
            check_nulls(inner)
    elif isinstance(value, list):
        for inner in value:
            check_nulls(inner)
