"""Means over seeds with Student's t."""

import dataclasses
import math

import numpy as np
import pytest

from zerosum.comparison import OneSeed, across_seeds
from zerosum.curves import LossCurve
from zerosum.deceleration import Fit, fit
from zerosum.interference import over_repeats


@pytest.fixture(scope="module")
def broken() -> Fit:
    step = np.arange(1.0, 1025)
    loss = 3.0 * (step / 100) ** -0.3 * (1 + (step / 100) ** 4) ** 0.05
    found = fit(LossCurve("a", step, loss * np.exp(np.random.default_rng(0).normal(0, 0.01, 1024)), source="none"))
    assert found.verdict == "decelerates"
    return found


def one_seed(fitted: Fit, seed: int, name: str = "a", loss: float = 2.0) -> OneSeed:
    return OneSeed(name, 1000, seed, fitted, loss, {(1, 2): 0.1 + seed / 10, (2, 4): 0.5})


def test_one_seed_gives_nothing(broken: Fit) -> None:
    assert across_seeds([]) == ()
    assert across_seeds([one_seed(broken, 0), one_seed(broken, 0, "b")]) == ()


def test_runs_of_one_name_are_averaged(broken: Fit) -> None:
    later = dataclasses.replace(broken, t_d=broken.t_d + 10)
    (size,) = across_seeds([one_seed(broken, 0), one_seed(later, 1)])
    assert (size.name, size.n_params, size.seeds) == ("a", 1000, (0, 1))
    assert size.t_d.value == pytest.approx(broken.t_d + 5)
    half = 12.706204736 * 10 / 2  # t quantile of one degree of freedom, times the standard error of two values
    assert size.t_d.interval == pytest.approx((size.t_d.value - half, size.t_d.value + half))
    assert [(one.from_step, one.to_step) for one in size.D] == [(1, 2), (2, 4)]
    assert [one.D.value for one in size.D] == pytest.approx([0.15, 0.5])


def test_runs_that_cannot_tell_do_not_count(broken: Fit) -> None:
    unsure = dataclasses.replace(broken, verdict="cannot-tell", t_d=1e9)
    (size,) = across_seeds([one_seed(broken, 0), one_seed(unsure, 1, loss=3.0)])
    assert (size.t_d.value, size.t_d.N, size.t_d.interval) == (broken.t_d, 1, None)
    assert size.t_d.reason == "1 of 1 seeds give it; an interval needs 2"
    assert (size.final_loss.value, size.final_loss.N) == (2.5, 2)


def test_a_pair_that_one_seed_lacks_is_the_mean_of_the_others(broken: Fit) -> None:
    other = dataclasses.replace(one_seed(broken, 1), D={(2, 4): 0.7})
    (size,) = across_seeds([one_seed(broken, 0), other])
    assert [one.D.N for one in size.D] == [1, 2]
    assert size.D[1].D.value == pytest.approx(0.6)


def test_json_has_each_number_with_its_interval_or_the_reason(broken: Fit) -> None:
    unsure = dataclasses.replace(broken, verdict="cannot-tell")
    document = across_seeds([one_seed(unsure, 0), one_seed(unsure, 1)])[0].to_json()
    assert document["seeds"] == [0, 1]
    assert document["t_d"] is None
    assert document["t_d_reason"] == "0 of 0 seeds give it; an interval needs 2"
    assert document["final_loss_interval"] == [2.0, 2.0]
    assert document["final_loss_N_of"] == "seeds"
    assert document["double"][0]["D_N"] == 2
    assert not any(isinstance(value, float) and math.isnan(value) for value in document.values())


def test_interval_covers_the_truth_at_its_level() -> None:
    draws = np.random.default_rng(0).normal(5.0, 2.0, (2000, 4))
    intervals = [over_repeats([float(x) for x in row], "seeds").interval for row in draws]
    covered = np.mean([low <= 5.0 <= high for low, high in intervals if True])  # type: ignore[misc]
    assert covered == pytest.approx(0.95, abs=0.015)
