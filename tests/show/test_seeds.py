"""Means over seeds with Student's t."""

import dataclasses
import math

import numpy as np
import pytest

from zerosum.show import RunSummary, SuiteSummary, across_seeds
from zerosum.show.suite.seeds import over_seeds


def test_interval_covers_the_truth_at_its_level() -> None:
    draws = np.random.default_rng(0).normal(5.0, 2.0, (2000, 4))
    found = [over_seeds([float(x) for x in row]).interval for row in draws]
    covered = np.mean([low <= 5.0 <= high for low, high in found if True])  # type: ignore[misc]
    assert covered == pytest.approx(0.95, abs=0.015)


def test_one_value_has_no_interval_and_says_why() -> None:
    found = over_seeds([0.5, math.nan])
    assert (found.value, found.interval, found.N) == (0.5, None, 1)
    assert found.reason == "1 of 2 seeds give it; an interval needs 2"


def test_one_seed_gives_nothing(three_sizes: SuiteSummary) -> None:
    assert across_seeds(three_sizes.runs) is None


def test_runs_of_one_name_are_averaged(three_sizes: SuiteSummary) -> None:
    first = three_sizes.runs[0]
    other = dataclasses.replace(first, seed=1, fit=dataclasses.replace(first.fit, t_d=first.fit.t_d + 10))
    (size,) = across_seeds([first, other]) or ()
    assert size.seeds == (0, 1)
    assert size.t_d.value == pytest.approx(first.fit.t_d + 5)
    assert [(d.from_step, d.to_step) for d in size.D] == [(p.from_step, p.to_step) for p in first.double]
    assert size.D[-1].D.value == first.double[-1].interference.D


def test_runs_that_cannot_tell_do_not_count(three_sizes: SuiteSummary, short_run: RunSummary) -> None:
    first = three_sizes.runs[0]
    (size,) = across_seeds([first, dataclasses.replace(short_run, name=first.name, seed=1)]) or ()
    assert size.t_d.N == 1
    assert size.t_d.value == first.fit.t_d
    assert size.t_d.interval is None
    assert size.final_loss.N == 2
