"""Tokens in the place of steps: what a steady batch does not change, a warm-up of the batch size, and refusals."""

import numpy as np
import pytest

from zerosum.curves import LossCurve, by_tokens, tokens_per_step
from zerosum.errors import InputError


def curve(tokens, step=None):
    step = np.arange(1.0, 101) if step is None else step
    return LossCurve("run", step, np.linspace(5, 3, len(step)), None if tokens is None else np.asarray(tokens))


def test_a_steady_batch_changes_nothing():
    steady = curve(np.arange(1.0, 101) * 4096)
    assert by_tokens(steady) is steady
    assert tokens_per_step(steady) == 4096


def test_early_steps_of_a_smaller_batch_count_for_less():
    ramp = curve(np.cumsum(np.where(np.arange(100) < 20, 1024.0, 4096.0)))
    counted = by_tokens(ramp)
    np.testing.assert_allclose(counted.step[:20], np.arange(1, 21) / 4)
    np.testing.assert_allclose(counted.step[20:], 5 + np.arange(1, 81))
    assert "one step stands for 4,096 tokens" in counted.cleaning[-1]
    np.testing.assert_allclose(counted.tokens, counted.step * tokens_per_step(counted))


@pytest.mark.parametrize("tokens", [None, np.zeros(100), np.arange(100.0)[::-1]])
def test_tokens_that_count_nothing_are_refused(tokens):
    with pytest.raises(InputError, match=r"run: .*tokens.*--tokens"):
        by_tokens(curve(tokens))


def test_too_few_rows_have_no_tokens_per_step():
    assert np.isnan(tokens_per_step(curve(None)))
    assert np.isnan(tokens_per_step(curve([5.0], step=np.array([1.0]))))
