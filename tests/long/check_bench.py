"""What a bench's statistics do on simulated studies with known truth.

Every study has n paired seeds of some arms. Covers: share of studies whose 95 % interval of the first arm's difference
holds the truth, goal 92 to 98 %. False: share in which any arm without an effect has p <= 0.05, goal at most 5 % (and
three standard errors). Found: share in which the first arm, with the effect named, is judged better; no difference:
share in which the last arm, without one, is. Where n is what `seeds_needed` asks for, at least 80 % of both. Movement:
covers is that of the difference of M per nat over an equal-loss interval, whose truth is known in closed form, with an
arm twice as fast as the baseline; of wandering tokens, whose losses are random walks, the mean of M over its true value
is given, of runs in which it is measured. Speed-up: covers is that of the multiple of the baseline's tokens.
"""

import math

import numpy as np
import pytest
from simulated_benches import measure_study, movement_study, speed_study, wandering_of

from zerosum.comparison import seeds_needed

SEEDS = "0 to N - 1"
SD, MARGIN = 0.002, 0.003
STUDIES = 1_000


@pytest.mark.parametrize("tail", ["normal", "heavy"])
@pytest.mark.parametrize("arms", [1, 4])
@pytest.mark.parametrize("n", [6, 9, 12])
def test_no_effects(n, arms, tail, table, count, whole):
    N = count(2 * STUDIES)
    done = [measure_study(seed, n, (0.0,) * arms, SD, MARGIN, tail) for seed in range(N)]
    row = add(table, f"no effect, {tail} noise", n, arms, done)
    if whole:
        assert 0.92 <= row["covers"] <= 0.98
        assert row["false"] <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / N)  # in each of 12 rows


@pytest.mark.parametrize("arms", [1, 4, 8])
def test_as_many_seeds_as_are_needed(arms, table, count, whole):
    n = seeds_needed(SD, MARGIN, arms)
    done = [measure_study(seed, n, (-MARGIN, *[0.0] * (arms - 1)), SD, MARGIN) for seed in range(count(STUDIES))]
    row = add(table, "the margin, n as needed", n, arms, done)
    if arms == 1:
        none = [measure_study(seed, n, (0.0,), SD, MARGIN) for seed in range(count(STUDIES))]
        row["last"] = np.mean([one["last"] == "no-difference" for one in none])
    if whole:
        assert row["found"] >= 0.80
        assert row["last"] >= 0.80


@pytest.mark.parametrize(("n", "arms"), [(6, 1), (6, 5), (8, 5), (10, 5)])
def test_power_of_an_effect_of_four_sd(n, arms, table, count):
    done = [measure_study(seed, n, (-4 * SD, *[0.0] * (arms - 1)), SD, MARGIN) for seed in range(count(STUDIES))]
    add(table, "four sd of the differences", n, arms, done)


@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_equal_loss_intervals(shift, noise, table, count, whole):
    done = [movement_study(seed, shift=shift, noise=noise) for seed in range(count(1_000))]
    covers = np.mean([not mean.excludes(true) for mean, true in done])
    mean, true = np.mean([mean.value for mean, _ in done]), done[0][1]
    table.add(
        study=f"movement, checkpoints' noise {noise:g}: found {mean:.4f}, true {true:.4f}", n=6, arms=1, N=len(done),
        covers=percent(covers), false="", found="", no_difference="",
    )  # fmt: skip
    if whole:
        assert 0.92 <= covers <= 0.98
        assert mean == pytest.approx(true, abs=0.01)


@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize("ratio", [1.25, 1.5, 2.0, 3.0])
def test_movement_of_tokens_that_wander(ratio, noise, table, count, whole):
    runs = [wandering_of(np.random.default_rng(k), ratio, noise=noise) for k in range(count(1_000))]
    shares = [found.parts[0].M / true for found, true in runs if found.parts]
    table.add(
        study=f"movement of wandering tokens, in {ratio:g} times the steps, checkpoints' noise {noise:g}: found "
        f"{np.mean(shares):.3f} of the true one",
        n=1, arms=1, N=len(shares), covers="", false="", found="", no_difference="",
    )  # fmt: skip
    if whole:
        assert np.mean(shares) == pytest.approx(1, abs=0.015)


@pytest.mark.parametrize("multiple", [0.7, 1.3, 1.8])
def test_speed_ups(multiple, table, count, whole):
    done = [speed_study(seed, multiple) for seed in range(count(1_000))]
    covers = np.mean([not one.multiple.excludes(multiple) for one in done])
    table.add(
        study=f"speed-up of {multiple}", n=6, arms=1, N=len(done), covers=percent(covers), false="", found="",
        no_difference="",
    )  # fmt: skip
    if whole:
        assert 0.92 <= covers <= 0.98


def add(table, study, n, arms, done):
    """A row of the table, and its numbers."""
    row = {
        "covers": np.mean([one["covers"] for one in done]),
        "false": np.mean([one["false"] for one in done]),
        "found": np.mean([one["first"] == "better" for one in done]),
        "last": np.mean([one["last"] == "no-difference" for one in done]),
    }
    found, last = (percent(row["found"]), "" if arms == 1 and row["found"] > 0.5 else percent(row["last"]))
    table.add(
        study=study, n=n, arms=arms, N=len(done), covers=percent(row["covers"]), false=percent(row["false"]),
        found=found, no_difference=last,
    )  # fmt: skip
    return row


def percent(share):
    return f"{100 * share:.1f} %"
