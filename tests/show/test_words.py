"""The sentences say what the numbers say, with N and intervals, and admit what cannot be told."""

import dataclasses

import numpy as np
import pytest

from zerosum.curves import LossCurve
from zerosum.deceleration import fit
from zerosum.interference import Interference, measure
from zerosum.show import AcrossSeeds, DoubleStep, Estimate, RunSummary, SuiteSummary
from zerosum.show.suite.opening import opening
from zerosum.show.suite.stories import other_cutoffs, over_seeds, stories
from zerosum.show.suite.zero_sum import chance, zero_sum
from zerosum.show.words import deceleration


def with_pairs(run: RunSummary, *found: Interference) -> RunSummary:
    pairs = tuple(DoubleStep(2**k, 2 ** (k + 1), one) for k, one in enumerate(found))
    return dataclasses.replace(run, double=pairs)


def changes(mean: float, sequences: int = 64, seed: int = 0) -> Interference:
    return measure(np.random.default_rng(seed).normal(mean, 1.0, (sequences, 64)))


@pytest.fixture
def run(three_sizes: SuiteSummary) -> RunSummary:
    return three_sizes.runs[1]


def test_opening_counts_models_and_gives_the_range_of_breaks_and_D(three_sizes: SuiteSummary) -> None:
    trained, slowed, cancelled = opening(three_sizes)
    assert trained.startswith("Three language models of 26,000 to 240,000 parameters were trained for 2,048 steps each")
    steps = sorted(run.fit.t_d for run in three_sizes.runs)
    low = min(run.fit.intervals["t_d"][0] for run in three_sizes.runs)  # type: ignore[index]
    high = max(run.fit.intervals["t_d"][1] for run in three_sizes.runs)  # type: ignore[index]
    assert f"gives estimates from {steps[0]:.0f} to {steps[-1]:.0f}, with intervals that together reach from" in slowed
    assert f"from {low:.0f} to {high:.0f}; for the loss there" in slowed
    last = sorted(run.double[-1].interference.D for run in three_sizes.runs)
    assert f"{last[0]:.3f} to {last[-1]:.3f} over the last" in cancelled
    assert "N\xa0=\xa04,096 held-out tokens" in cancelled
    assert "This is zero-sum learning" in cancelled


def test_opening_of_one_run_uses_the_singular(three_sizes: SuiteSummary) -> None:
    one = dataclasses.replace(three_sizes, runs=three_sizes.runs[:1])
    assert opening(one)[0].startswith("One language model of 26,000 parameters was trained for 2,048 steps, with")


def test_opening_claims_no_zero_sum_learning_where_D_did_not_rise(three_sizes: SuiteSummary, run: RunSummary) -> None:
    flat = with_pairs(run, changes(-2), changes(-2, seed=1))
    text = opening(dataclasses.replace(three_sizes, runs=(flat,)))[2]
    assert "zero-sum learning" not in text


def test_deceleration_gives_all_three_numbers_with_intervals(run: RunSummary) -> None:
    text, found = deceleration(run.fit), run.fit
    for name in ("t_d", "L_d", "r_d"):
        low, high = found.intervals[name]  # type: ignore[misc]
        places = 0 if name == "t_d" else 3 if name == "L_d" else 4
        value = getattr(found, name)
        assert f"{name}\xa0=\xa0{value:.{places}f} [{low:.{places}f},\xa0{high:.{places}f}]" in text
    assert f"{100 * (1 - 2**-found.r_d):.0f}\xa0% after it" in text


def test_deceleration_says_why_an_interval_is_missing(run: RunSummary) -> None:
    bare = dataclasses.replace(
        run.fit, intervals={**run.fit.intervals, "t_d": None}, interval_reasons={"t_d": "too few"}
    )
    assert "(no interval: too few)" in deceleration(bare)


def test_a_short_run_cannot_tell_and_gives_the_reason(short_run: RunSummary, three_sizes: SuiteSummary) -> None:
    text = deceleration(short_run.fit)
    assert text.startswith("Whether the loss slowed down cannot be told from steps 21 to 40, because ")
    assert short_run.fit.reasons[0].message.rstrip(".") in text
    assert "t_d" not in text
    alone = dataclasses.replace(three_sizes, runs=(short_run,))
    assert "could not be established" in opening(alone)[1]
    both = dataclasses.replace(three_sizes, runs=(short_run, three_sizes.runs[0]))
    assert opening(both)[1].startswith("In one of two runs the loss first fell steeply")


def test_a_power_law_has_no_break(run: RunSummary) -> None:
    step = np.arange(1.0, 2049.0)
    loss = 6 * step**-0.1 * np.exp(np.random.default_rng(0).normal(0, 0.02, 2048))
    straight = LossCurve("straight", step, loss)
    found = fit(straight, cutoff=20)
    assert found.verdict == "no-break"
    assert deceleration(found).startswith("The loss shows no break within steps 21 to")


def test_harmful_share_is_half_of_D_while_the_loss_falls(run: RunSummary) -> None:
    found = changes(-0.5)
    text = zero_sum(with_pairs(run, found))
    assert f"{100 * found.D / 2:.0f}\xa0% [" in text
    assert "(D/2)" in text
    assert "the mean loss fell by" in text


def test_harmful_share_is_the_other_half_while_the_loss_rises(run: RunSummary) -> None:
    found = changes(0.5)
    text = zero_sum(with_pairs(run, found))
    assert f"{100 * (1 - found.D / 2):.0f}\xa0% [" in text
    assert "1 − D/2" in text
    assert "the mean loss rose by" in text


def test_D_rises_only_where_intervals_do_not_overlap(run: RunSummary) -> None:
    assert "it rose to" in zero_sum(with_pairs(run, changes(-2), changes(-0.3)))
    assert "it fell to" in zero_sum(with_pairs(run, changes(-0.3), changes(-2)))
    same = zero_sum(with_pairs(run, changes(-1), changes(-1, seed=1)))
    assert "it was" in same
    assert "the intervals overlap, so no change of D is claimed" in same


def test_D_of_different_N_is_not_compared(run: RunSummary) -> None:
    text = zero_sum(with_pairs(run, changes(-2), changes(-0.3, sequences=32)))
    assert "D of different N cannot be compared" in text
    assert "rose to" not in text


def test_D_without_interval_says_why_and_claims_no_change(run: RunSummary) -> None:
    text = zero_sum(with_pairs(run, changes(-2, sequences=10), changes(-0.3, sequences=10)))
    assert "no interval: 10 units" in text
    assert "it cannot be said whether D changed" in text


def test_changes_that_are_all_zero_have_words_too(run: RunSummary) -> None:
    text = zero_sum(with_pairs(run, measure(np.zeros((30, 8)))))
    assert "no loss changed at all" in text
    assert "nan" not in text.lower()


@pytest.mark.parametrize(
    ("mean", "verdict"),
    [(-0.5, "tokens still fall together"), (0.5, "tokens still rise together"), (0.0, "no net direction can be told")],
)
def test_chance_asks_whether_the_interval_of_R_contains_0(mean: float, verdict: str) -> None:
    found = changes(mean)
    low, high = found.interval.R  # type: ignore[union-attr]
    assert (low <= 0 <= high) == (mean == 0)
    text = chance(found)
    assert verdict in text
    assert f"{found.null:.3f}" in text
    assert f"{found.null_unit:.3f}" in text


def test_chance_without_interval_claims_nothing() -> None:
    text = chance(changes(-0.5, sequences=10))
    assert "without an interval it cannot be said" in text
    assert "10 units" in text


def other_verdicts(run: RunSummary, **verdicts: str) -> RunSummary:
    rows = tuple(
        dataclasses.replace(run.cutoffs[0], cutoff=float(at[1:]), verdict=verdict) for at, verdict in verdicts.items()
    )
    return dataclasses.replace(run, cutoffs=rows)


def test_a_verdict_that_depends_on_the_cutoff_is_said(three_sizes: SuiteSummary, run: RunSummary) -> None:
    sure = other_verdicts(run, _20="decelerates", _40="decelerates")
    assert other_cutoffs(sure) == ""
    one = other_verdicts(run, _20="decelerates", _60="no-break", _80="no-break")
    expected = f"The verdict for {run.name} would be at cut-offs of 60 and 80 steps “no break”"
    text = opening(dataclasses.replace(three_sizes, runs=(one,)))[1]
    assert f"{expected}: this break is not certain." in text
    told = stories(dataclasses.replace(three_sizes, runs=(one,)))[0].sentences
    assert any("would be at cut-offs of 60 and 80 steps “no break”" in sentence for sentence in told)
    assert "not certain" not in opening(dataclasses.replace(three_sizes, runs=(sure,)))[1]


def test_text_layers_and_learning_rates_are_said_where_recorded(three_sizes: SuiteSummary) -> None:
    rates = {"26k": 0.0007, "100k": 0.0002, "240k": 0.0001}
    names = [run.name for run in three_sizes.runs]
    recipes = {
        name: {"optimizer": {"lr": rate}, "model": {"layers": 1}}
        for name, rate in zip(names, rates.values(), strict=True)
    }
    recorded = {"text": "source code, one token per byte.", "recipes": recipes}
    text = opening(dataclasses.replace(three_sizes, provenance=recorded))[0]
    assert "Text: source code, one token per byte. Each model has 1 layer." in text
    assert f"0.0007 for {names[0]}" in text
    assert text.endswith("so this is not a comparison of size alone.")
    for odd in ({}, {"text": 3, "recipes": "none"}, {"recipes": {names[0]: {"model": None, "optimizer": {"lr": "x"}}}}):
        assert opening(dataclasses.replace(three_sizes, provenance=odd))[0].endswith("text in every step.")


def test_seeds_that_gave_no_break_are_counted_out() -> None:
    whole, partial = (
        Estimate(2.0, (1.9, 2.1), 3, "seeds"),
        Estimate(170.0, None, 1, "seeds", reason="1 of 3 seeds give it"),
    )
    text = over_seeds(AcrossSeeds("a", 10, (0, 1, 2), whole, partial, whole, whole, ()))
    assert text.startswith("Over N\xa0=\xa03 seeds the loss bent at t_d\xa0=\xa0170")
    assert "(N\xa0=\xa01 seeds; no interval: 1 of 3 seeds give it)" in text
