"""Raw and averaged weights side by side: the same D and M as alone, and differences with paired intervals."""

import numpy as np
import pytest
from tiny import falling_losses, labels, losses

from zerosum import InputError
from zerosum.interference._paired import paired_change_in_D, paired_M_ratio
from zerosum.interference._sums import InterferenceSums
from zerosum.interference.labelled import RawAndAveraged, beside_averages, measure_store
from zerosum.interference.labelled._averages import overlap

STEPS = (0, 1, 2, 4)


def two_stores(**attrs):
    values, rng = falling_losses(STEPS)
    tokens = labels(rng.integers(0, 9, values.shape[1:]))
    quieter = 4 - 0.3 * np.arange(4)[:, None, None] + 0.25 * (values - 4 + 0.3 * np.arange(4)[:, None, None])
    entries = [{"form": "last:2", "number": 2, "steps": [max(1, t - 1), t], "iterates": True} for t in STEPS]
    attrs = {"average": "last:2", "averaged": entries} | attrs
    return losses(values, STEPS, **tokens), losses(quieter, STEPS, attrs=attrs, **tokens)


def test_both_are_what_they_are_alone():
    raw, averaged = two_stores()
    alone = {pair.steps: pair.measured for pair in measure_store(averaged).pairs}
    beside = beside_averages(raw, averaged, measure_store(raw).pairs, "as the test says")
    assert [(pair.from_step, pair.to_step) for pair in beside.pairs] == [(1, 2), (2, 4)]
    for pair, measured in zip(beside.pairs, measure_store(raw).pairs, strict=True):
        assert pair.raw == measured.measured
        assert pair.averaged == alone[measured.steps]
        assert pair.change_in_D.value == pytest.approx(pair.averaged.D - pair.raw.D)
        assert pair.change_in_D.excludes(0)
        assert pair.M_ratio.value == pytest.approx(pair.averaged.M / pair.raw.M)
        low, high = pair.M_ratio.interval
        assert low < pair.M_ratio.value < high < 1
    assert [pair.shares_iterates for pair in beside.pairs] == [True, False]
    printed = repr(RawAndAveraged((beside,)))
    assert "last:2" in printed
    assert list(RawAndAveraged((beside,)).table()["average"]) == ["last:2", "last:2"]


def test_the_interval_of_the_difference_covers_the_truth():
    """Two arms that share their units' noise, R of -0.6 and -0.5 in the mean; see the exact value in a large sample."""

    def sums(rng, units):
        net, mass = rng.normal(-0.6, 0.2, units), rng.gamma(20, 0.05, units)
        ones = np.ones(units, np.int64)
        both = (mass * net, mass * (net + 0.1 + rng.normal(0, 0.02, units)))
        return [InterferenceSums(np.arange(units), own, mass, mass, ones) for own in both]

    before, after = sums(np.random.default_rng(99), 10**6)
    truth = after.D - before.D
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(60):
        estimate = paired_change_in_D(*sums(rng, 40))
        covered += estimate.interval[0] <= truth <= estimate.interval[1]
        # Far narrower than either D alone: the units are the same.
        assert estimate.interval[1] - estimate.interval[0] < 0.03
    assert 53 <= covered <= 60


def test_no_interval_where_there_can_be_none():
    few = InterferenceSums.of(np.random.default_rng(0).normal(size=(5, 4)))
    assert "5 units" in paired_M_ratio(few, few).reason
    flat = InterferenceSums.of(np.random.default_rng(0).normal(size=(40, 8)))
    assert "may be zero" in paired_change_in_D(flat, flat).reason
    assert paired_M_ratio(flat, flat).interval == (1.0, 1.0)


def test_other_tokens_and_other_steps_are_refused():
    raw, averaged = two_stores()
    pairs = measure_store(raw).pairs
    with pytest.raises(InputError, match=r"last:2: measured on other tokens"):
        beside_averages(raw, averaged.assign_coords(token=averaged["token"] + 1), pairs)
    with pytest.raises(InputError, match="no pair of steps was measured of both"):
        beside_averages(raw, averaged.isel(checkpoint=[3]), pairs)


@pytest.mark.parametrize("beta", [0.5, 0.9, 0.99])
def test_overlap_is_the_weight_of_earlier_iterates(beta):
    entry = {"form": f"ema:{beta}", "number": 20, "steps": [1, 20], "iterates": True}
    shares = beta ** (20.0 - np.arange(1, 21))
    for step in (0, 1, 10, 20):
        assert overlap(entry, step) == pytest.approx(shares[:step].sum() / shares.sum())
    made = {"form": "last:8", "number": 3, "steps": [12, 16, 20], "iterates": False}
    assert overlap(made, 16) == pytest.approx(2 / 3)
