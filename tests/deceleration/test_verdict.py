"""The verdict in one word, and its reasons."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import lfilter
from simulated import LONG_RUN, POWER_LAW, SHORT_RUN, simulated_curve

from zerosum.curves import LossCurve, read_curve
from zerosum.deceleration import BNSL, fit, forecast_of


def reasons(found, level="blocking"):
    return {reason.code for reason in found.reasons if reason.level == level}


@pytest.mark.parametrize(
    ("misfit", "least"),
    [(0.0, 39), pytest.param(0.005, 38, marks=pytest.mark.long), (0.01, 32)],
)
def test_short_runs_with_a_break_decelerate(misfit, least):
    """The larger the wander beside the law, the more often "cannot tell"; but never the opposite."""
    curves = [simulated_curve(SHORT_RUN, 2_048, noise=0.015, misfit=misfit, seed=k) for k in range(40)]
    found = [fit(replace(curve, lr=np.full(len(curve), 3e-4)), cutoff=30) for curve in curves]
    assert sum(one.verdict == "decelerates" for one in found) >= least
    assert not any(one.verdict in ("no-break", "accelerates") for one in found)


@pytest.mark.parametrize(
    ("misfit", "least"),
    [(0.0, 39), pytest.param(0.005, 37, marks=pytest.mark.long), (0.01, 30)],
)
def test_power_laws_do_not_decelerate(misfit, least):
    """A wander beside the law looks a little like a break: then it cannot be told; but never a break."""
    found = [fit(simulated_curve(POWER_LAW, 2_048, noise=0.015, misfit=misfit, seed=k)) for k in range(40)]
    assert sum(one.verdict == "no-break" for one in found) >= least
    assert sum(one.verdict in ("decelerates", "accelerates") for one in found) <= 1
    assert all(one.intervals["t_d"] is None for one in found if one.verdict == "no-break")


def test_the_beginning_of_a_run_rules_no_break_out():
    """The first 256 steps of a run that breaks later, or of one that never does: they say nothing of the rest."""
    broken = [fit(simulated_curve(SHORT_RUN, 256, noise=0.015, seed=k), cutoff=30) for k in range(20)]
    assert {one.verdict for one in broken} == {"cannot-tell"}
    straight = [fit(simulated_curve(POWER_LAW, 256, noise=0.015, seed=k), cutoff=30) for k in range(20)]
    assert {one.verdict for one in straight} == {"cannot-tell"}
    assert any("range-too-short" in reasons(one) for one in straight)


def test_exact_power_law_has_no_break():
    found = fit(simulated_curve(POWER_LAW, 5_000))
    assert found.verdict == "no-break"
    assert reasons(found, "note") == {"power-law-suffices"}


def test_faster_after_the_break_accelerates():
    law = BNSL.from_rates(np.log(3.0), 0.1, 0.3, np.log(200.0), np.log(0.3))
    assert fit(simulated_curve(law, 3_000, noise=0.01, rate=True)).verdict == "accelerates"
    assert reasons(fit(simulated_curve(law, 3_000, noise=0.01))) == {"rate-not-logged"}


def test_too_few_points():
    curve = simulated_curve(LONG_RUN, 50_000, every=1_000)
    found = fit(curve, cutoff=0)
    assert found.verdict == "cannot-tell"
    assert "too-few-points" in reasons(found)


def test_log_that_starts_late():
    whole = simulated_curve(LONG_RUN, 50_000, noise=0.01)
    found = fit(LossCurve("late", whole.step[2_000:], whole.loss[2_000:]))
    assert found.verdict == "cannot-tell"
    assert "starts-too-late" in reasons(found)
    assert "step 2001" in found.reasons[0].message


@pytest.mark.parametrize(("last_step", "cutoff"), [(400, 20), (20_000, 140)])
def test_break_near_an_end_of_the_range(last_step, cutoff):
    found = fit(simulated_curve(SHORT_RUN, last_step, noise=0.001), cutoff=cutoff)
    assert found.verdict == "cannot-tell"
    assert "break-at-edge" in reasons(found)


def test_curve_without_a_place_where_it_bends():
    step = np.arange(1.0, 100_000)
    parabola = np.exp(3 - 0.5 * np.log(step) + 0.02 * np.log(step) ** 2)
    found = fit(LossCurve("parabola", step, parabola), cutoff=10)
    assert found.verdict == "cannot-tell"
    assert "width-at-bound" in reasons(found)


def test_a_kink_is_believed_only_where_the_learning_rate_is_known():
    law = BNSL.from_rates(np.log(3.0), 0.3, 0.1, np.log(300.0), np.log(0.001))
    curve = simulated_curve(law, 5_000, noise=0.001)
    logged = fit(replace(curve, lr=np.full(5_000, 3e-4)))
    assert logged.verdict == "decelerates"
    assert "width-at-bound" in reasons(logged, "note")
    assert fit(curve).verdict == "cannot-tell"


@pytest.mark.parametrize(
    ("decay", "cutoff", "level"), [(60.0, 50, "blocking"), (100.0, 100, "note"), (30.0, 200, None)]
)
def test_transient_above_the_cutoff(decay, cutoff, level):
    """An initial transient is a second bend: t_d depends on how much of it the cut-off leaves."""
    law = BNSL.from_rates(np.log(3.2), 0.15, 0.05, np.log(3_000.0), np.log(0.3))
    step = np.arange(1.0, 60_001)
    found = fit(LossCurve("transient", step, law.predict(step) * (1 + 0.3 * np.exp(-step / decay))), cutoff=cutoff)
    levels = [reason.level for reason in found.reasons if reason.code == "unstable-cutoff"]
    assert levels == ([level] if level else [])
    assert (found.verdict == "cannot-tell") == (level == "blocking")


def test_blocking_reasons_come_first():
    found = fit(simulated_curve(SHORT_RUN, 400, noise=0.001), cutoff=20)
    levels = [reason.level for reason in found.reasons]
    assert levels == sorted(levels)


def test_log_from_after_the_break_cannot_tell(reference_data):
    found = fit(read_curve(reference_data / "curves" / "teaching" / "mpl_100M_constant_72000.csv"))
    assert found.verdict == "cannot-tell"
    assert reasons(found) == {"starts-too-late"}


@pytest.mark.parametrize("name", ["nanogpt_124M_adamw", "nanogpt_124M_muon"])
def test_real_runs_decelerate(reference_data, name):
    found = fit(read_curve(reference_data / "curves" / "teaching" / f"{name}.csv"))
    assert found.verdict == "decelerates"
    assert all(found.intervals.values())


STEP = np.arange(1.0, 10_001)


def noise(seed, rows=10_000, size=0.015):
    return np.exp(size * np.random.default_rng(seed).normal(size=rows))


@pytest.mark.parametrize("end", [600, pytest.param(800, marks=pytest.mark.long), 1_000])
@pytest.mark.parametrize("cutoff", [None, 100])
def test_a_logged_warm_up_is_no_deceleration(end, cutoff):
    """A power law that is up to 30 % higher while the learning rate is low."""
    low = 1 - np.minimum(STEP / end, 1.0)
    for seed in range(4):
        curve = LossCurve("warm", STEP, 10 * STEP**-0.15 * (1 + 0.3 * low) * noise(seed), lr=3e-4 * (1 - low))
        found = fit(curve, cutoff=cutoff)
        assert found.verdict == "cannot-tell" if cutoff else found.verdict in ("cannot-tell", "no-break")
        assert "warm-up" in reasons(found, "blocking" if cutoff else "note")


def test_a_break_after_a_logged_warm_up_is_where_it_is():
    law, low = BNSL.from_rates(np.log(3.5), 0.25, 0.04, np.log(800.0), np.log(0.15)), 1 - np.minimum(STEP / 300, 1.0)
    held = []
    for seed in range(10):
        found = fit(LossCurve("warm", STEP, law.predict(STEP) * (1 + 0.3 * low) * noise(seed), lr=3e-4 * (1 - low)))
        assert (found.verdict, found.cutoff) == ("decelerates", 300)
        held.append(found.intervals["t_d"][0] <= 800 <= found.intervals["t_d"][1])
    assert np.mean(held) >= 0.8


def test_cosine_decay_is_no_acceleration():
    share = 0.55 + 0.45 * np.cos(np.pi * STEP / 10_000)
    for seed in range(4):
        loss = 10 * STEP**-0.15 * (1 - 0.08 * (1 - share)) * noise(seed)
        assert fit(LossCurve("cosine", STEP, loss, lr=3e-4 * share)).verdict == "cannot-tell"
        without = fit(LossCurve("cosine", STEP, loss))
        assert without.verdict == "cannot-tell" or "rate-not-logged" in reasons(without, "note")


def test_what_flattens_or_bends_twice_does_not_accelerate():
    first, second = (BNSL.from_rates(*values, np.log(0.1)) for values in (
        (np.log(6.0), 0.2, 0.02, np.log(150.0)), (0.0, 0.0, 0.2, np.log(900.0))))  # fmt: skip
    for seed in range(4):
        flat = LossCurve("flat", STEP, (3 + 7 * np.exp(-STEP / 1_500)) * noise(seed))
        twice = LossCurve("twice", STEP, first.predict(STEP) * second.predict(STEP) * noise(seed))
        for curve in (flat, twice):
            found = fit(curve)
            assert found.verdict == "cannot-tell"
            assert "turns-back" in reasons(found)


def test_a_break_that_the_cutoff_hides_is_found_with_the_one_it_names():
    law = BNSL.from_rates(np.log(4.0), 0.25, 0.04, np.log(60.0), np.log(0.15))
    for seed in range(4):
        curve = LossCurve("early", STEP, law.predict(STEP) * noise(seed))
        found = fit(curve)
        assert reasons(found) == {"break-below-cutoff"}
        named = float(found.reasons[0].message.rsplit(" ", 1)[1])
        again = fit(curve, cutoff=named)
        assert again.verdict == "decelerates"
        assert again.t_d == pytest.approx(60, rel=0.25)


def test_published_curves_have_a_break_that_is_located(reference_data):
    for name in ("14M", "OLMo-1B", "OLMo-7B"):
        found = fit(read_curve(reference_data / "curves" / "paper" / f"{name}.csv"))
        assert found.verdict == "decelerates"
        assert "break-not-located" not in reasons(found, "note")
        low, high = found.intervals["t_d"]
        assert high / low < 4
        assert found.to_json()["intervals"]["widening"] == 1.0


def test_a_break_whose_interval_reaches_the_edge_is_not_located():
    rows = np.arange(1.0, 2_049)
    noise = lfilter([np.sqrt(0.19)], [1, -0.9], 0.02 * np.random.default_rng(12).normal(size=2_048))
    law = BNSL.from_rates(np.log(3.2), 0.25, 0.08, np.log(75.0), np.log(0.3))
    found = fit(LossCurve("early", rows, np.exp(law.log_loss(rows) + noise)))
    assert found.verdict == "decelerates"
    assert "no interval" in next(reason.message for reason in found.reasons if reason.code == "break-not-located")


def test_growing_loss_is_told_and_not_forecast_to_fall():
    curve = LossCurve("growing", STEP, 3 * STEP**0.05 * noise(0))
    found = fit(curve)
    assert found.verdict == "no-break"
    assert "loss-rises" in reasons(found, "note")
    law, floor, stays = forecast_of(found, 20_000)
    assert law.method == "power-law"
    assert law.loss == pytest.approx(3 * 20_000**0.05, rel=0.01)
    assert law.interval[0] < law.loss < law.interval[1]
    assert np.isnan(floor.loss)
    assert "no bound" in stays.reason
