"""Paired differences: the numbers by brute force, the verdicts, and what simulated studies with known truth say."""

import itertools
import math
import statistics

import numpy as np
import pytest
from scipy import stats
from simulated_benches import measure_study

from zerosum.comparison import more_seeds_needed, paired_differences, seeds_needed, verdict_of
from zerosum.comparison.paired import adjusted_p

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(("seen", "is_there"), [(0.45, True), (0.1, False), (1.1, True)])
def test_the_seeds_that_are_named_tell_a_difference_that_stays_as_it_was(seen, is_there):
    """In 4,000 simulated studies of so many seeds, 80 % find a difference of 0.45 or 1.1, or that 0.1 is below 0.8."""
    rng, margin = np.random.default_rng(1), 0.8
    d = rng.standard_normal(8)
    d = seen + (d - d.mean()) / d.std(ddof=1)
    found = paired_differences({"a": (dict.fromkeys(range(8), 0.0), dict(enumerate(d.tolist())))})["a"]
    n = more_seeds_needed(found, margin)
    studies = seen + rng.standard_normal((4_000, n))
    mean, error = np.abs(studies.mean(axis=1)), studies.std(axis=1, ddof=1) / math.sqrt(n)
    level = 0.975 if is_there else 0.95
    told = mean > stats.t.ppf(level, n - 1) * error if is_there else mean + stats.t.ppf(level, n - 1) * error < margin
    assert told.mean() > 0.78
    assert n == 9 or told.mean() < 0.84


def slow_p(table):
    """Step-down max-|t| over all joint sign flips, in plain Python."""

    def t(row):
        spread = statistics.stdev(row)
        return abs(statistics.mean(row)) * math.sqrt(len(row)) / spread if spread else INF

    flips = list(itertools.product([1, -1], repeat=len(table[0])))
    of_flips = [[t([sign * d for sign, d in zip(flip, row, strict=True)]) for row in table] for flip in flips]
    observed = [t(row) for row in table]
    order = sorted(range(len(table)), key=lambda k: -observed[k])
    p, last = [0.0] * len(table), 0.0
    for place, k in enumerate(order):
        as_large = sum(max(ts[j] for j in order[place:]) >= observed[k] - 1e-9 for ts in of_flips)
        p[k] = last = max(last, as_large / len(flips))
    return p


@pytest.mark.parametrize(("arms", "n"), [(1, 2), (1, 6), (3, 6), (4, 7)])
def test_p_is_that_of_all_flips(arms, n):
    table = np.random.default_rng([arms, n]).normal(0.3, 1, (arms, n))
    assert adjusted_p(table) == pytest.approx(slow_p(table.tolist()))


def test_p_of_an_arm_alone_is_that_of_the_sign_flip_test():
    d = np.random.default_rng(3).normal(0.5, 1, 9)

    def t(x, axis):
        return np.mean(x, axis) / np.std(x, axis, ddof=1)

    of_scipy = stats.permutation_test((d,), t, permutation_type="samples", n_resamples=np.inf)
    assert adjusted_p(d[None]) == pytest.approx([of_scipy.pvalue])


@pytest.mark.parametrize("few", [[0.01, 0.0101], [0.01, -0.012], [0.02, 0.001]])
def test_an_arm_of_two_values_does_not_hide_one_of_six(few):
    """Student's t of two values is often above 10, and that of six values hardly ever."""
    clear = np.array([-0.030, -0.033, -0.028, -0.031, -0.032, -0.029])
    table = np.stack([clear, [*few, *[np.nan] * 4]])
    alone = adjusted_p(clear[None])[0]
    assert alone == 2 / 2**6
    assert alone <= adjusted_p(table)[0] <= 2 * alone


def test_many_seeds_are_sampled():
    d = np.random.default_rng(4).normal(0.4, 1, (1, 24))
    assert adjusted_p(d)[0] == pytest.approx(stats.ttest_1samp(d[0], 0).pvalue, abs=0.01)


def test_numbers_of_a_pair():
    baseline = {1: 2.0, 2: 2.1, 3: 1.9, 4: 2.05}
    arm = {1: 1.9, 2: 2.02, 3: 1.79, 4: 1.96}
    found = paired_differences({"a": (baseline, arm)}, "nats per token")["a"]
    test = stats.ttest_rel([arm[s] for s in baseline], list(baseline.values()))
    assert found.mean.value == pytest.approx(-0.095)
    assert found.mean.interval == pytest.approx(tuple(test.confidence_interval()))
    assert found.correlation == pytest.approx(np.corrcoef(list(arm.values()), list(baseline.values()))[0, 1])
    assert (found.baseline, found.to_json()["baseline"]) == (pytest.approx(2.0125),) * 2
    assert (found.n, found.p, found.mean.unit) == (4, 2 / 16, "nats per token")


def test_diverged_and_censored_seeds_are_counted():
    baseline = {1: 2.0, 2: 2.1, 3: 1.9, 4: NAN}
    arms = {"diverged": {1: INF, 2: 2.0, 3: 1.8, 4: 1.0}, "censored": {1: NAN, 2: 2.0, 3: 1.81, 4: 1.0}, "none": {}}
    found = paired_differences({name: (baseline, arm) for name, arm in arms.items()})
    counts = {name: (d.n, d.n_diverged, d.n_censored) for name, d in found.items()}
    assert counts == {"diverged": (2, 1, 1), "censored": (2, 0, 2), "none": (0, 0, 4)}
    assert [found[name].baseline for name in ("diverged", "censored")] == [pytest.approx(2.0)] * 2
    assert found["none"].to_json()["baseline"] is None
    assert {name: verdict_of(d, 0.01) for name, d in found.items()} == {
        "diverged": "diverges",
        "censored": "cannot-tell",
        "none": "cannot-tell",
    }
    assert found["diverged"].to_json()["value"] is None
    assert "1 of 4 runs diverged" in found["diverged"].mean.reason


def test_a_diverged_baseline_compares_with_nothing():
    baseline = {1: INF, 2: 2.0, 3: 2.1}
    found = paired_differences({"a": (baseline, {1: 1.0, 2: 1.0, 3: 1.0}), "b": (baseline, {1: INF, 2: 1, 3: 1})})
    assert [verdict_of(d, 0.01) for d in found.values()] == ["cannot-tell", "cannot-tell"]
    assert found["a"].n_baseline_diverged == 1


def verdict(differences, margin=0.005):
    baseline = dict.fromkeys(range(len(differences)), 0.0)
    return verdict_of(paired_differences({"a": (baseline, dict(enumerate(differences)))})["a"], margin)


NOISE = [0.001, -0.001, 0.0005, -0.0005, 0.0012, -0.0012]


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([d - 0.02 for d in NOISE], "better"),
        ([d + 0.02 for d in NOISE], "worse"),
        (NOISE, "no-difference"),
        ([d - 0.002 for d in NOISE], "no-difference"),  # a real difference that does not matter
        ([20 * d for d in NOISE], "cannot-tell"),
        ([d - 0.02 for d in NOISE[:5]], "cannot-tell"),  # five sign flips cannot reach 5 %
        ([0.02], "cannot-tell"),
    ],
)
def test_verdicts(differences, expected):
    assert verdict(differences) == expected


def test_seeds_needed_have_the_power():
    sd, margin = 0.003, 0.002
    n = seeds_needed(sd, margin)
    limit = stats.t.ppf(0.975, n - 1)
    power = [stats.nct.sf(stats.t.ppf(0.975, k - 1), k - 1, margin * math.sqrt(k) / sd) for k in (n, n - 2)]
    assert limit > 0
    assert power[0] >= 0.8 > power[1]
    assert seeds_needed(0.0, margin) == 6
    assert seeds_needed(1.0, margin) is None
    assert seeds_needed(sd, margin, arms=5) > n


def test_simulated_studies():
    """Small: tests/long/check_bench.py has 1,000 and more."""
    N, margin = 120, 0.003
    effects = (-margin, 0.0, 0.0, 0.0)
    done = [measure_study(seed, 9, effects, 0.002, margin) for seed in range(N)]
    assert 0.89 <= np.mean([one["covers"] for one in done]) <= 0.995
    assert np.mean([one["false"] for one in done]) <= 0.10
    assert np.mean([one["first"] == "better" for one in done]) >= 0.7
