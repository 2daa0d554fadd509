"""Learning-rate phases: read from the column, or seen in the loss; and what a fit does about them."""

from dataclasses import replace

import numpy as np
import pytest
from simulated import LONG_RUN, POWER_LAW, SHORT_RUN, simulated_curve

from zerosum.curves import LossCurve, clean_curve, read_curve
from zerosum.deceleration import cutoff_table, fit
from zerosum.deceleration.late_drop import _bins, find_late_drop
from zerosum.deceleration.rate_changes import logged_changes

STEP = np.arange(1.0, 10_001)
WSD = np.interp(STEP, [1, 200, 8_000, 10_000], [0.0, 1.0, 1.0, 0.0])
COSINE = np.where(STEP < 200, STEP / 200, 0.55 + 0.45 * np.cos(np.pi * (STEP - 200) / 9_800))
STEPS_DOWN = np.select([STEP < 6_000, STEP < 9_000], [1.0, 0.3], 0.1)


def with_drop(curve, start, size, *, at_once=False):
    """The curve with its log loss lower by up to `size` from `start` on: linearly to the end, or within 3 %."""
    end = 1.03 * start if at_once else curve.step[-1]
    drop = size * np.clip((curve.step - start) / (end - start), 0, 1)
    return replace(curve, loss=curve.loss * np.exp(-drop))


def levels(found, code):
    return [reason.level for reason in found.reasons if reason.code == code]


@pytest.mark.parametrize(
    ("lr", "kinds", "start"),
    [(WSD, ["warm-up", "cooldown"], 8_000), (COSINE, ["warm-up", "decay"], 200), (STEPS_DOWN, ["step-down"], 5_999)],
    ids=["wsd", "cosine", "steps"],
)
def test_schedules_are_recognised(lr, kinds, start):
    found = logged_changes(STEP, 3e-4 * lr)
    assert [change.kind for change in found] == kinds
    assert found[-1].start == pytest.approx(start, rel=0.01 if kinds[-1] != "decay" else 6)
    assert not any(change.likely for change in found)


def test_constant_rates_glitches_and_zeros_are_no_change():
    glitch = np.ones(1_000)
    glitch[[300, 700]] = 0.0
    step = np.arange(1_000.0)
    assert logged_changes(step, np.full(1_000, 3e-4)) == ()
    assert logged_changes(step, glitch) == ()
    assert logged_changes(step, np.zeros(1_000)) == ()
    assert logged_changes(step[:1], np.ones(1)) == ()


def test_fit_stops_at_a_logged_cooldown_and_gives_what_the_stable_phase_alone_gives():
    whole = simulated_curve(SHORT_RUN, 10_000, noise=0.01)
    curve = replace(with_drop(whole, 8_000, 0.04), lr=3e-4 * np.interp(STEP, [1, 8_000, 10_000], [1.0, 1.0, 0.0]))
    found = fit(curve, cutoff=30)
    stop = found.last_step
    alone = fit(LossCurve("alone", whole.step[: int(stop)], whole.loss[: int(stop)]), cutoff=30)
    assert stop == pytest.approx(8_000, rel=0.01)
    assert (found.L_d, found.t_d, found.r_d) == pytest.approx((alone.L_d, alone.t_d, alone.r_d), rel=0.01)
    assert found.verdict == "decelerates"
    assert levels(found, "cooldown") == ["note"]
    assert len(found.curve) == 10_000
    assert cutoff_table(curve, [30])[0].t_d == pytest.approx(found.t_d)


def test_whole_phase_fits_through_and_says_so():
    curve = with_drop(simulated_curve(SHORT_RUN, 10_000, noise=0.01), 8_000, 0.04)
    found = fit(curve, cutoff=30, phase="whole")
    assert found.last_step == 10_000
    assert "runs through it" in next(reason.message for reason in found.reasons if reason.code == "cooldown")
    assert fit(curve, procedure="paper", cutoff=30).last_step == 10_000


@pytest.mark.parametrize("at_once", [False, True], ids=["cooldown", "step-down"])
@pytest.mark.parametrize("seed", range(5))
def test_drops_of_four_percent_are_found_without_a_column(seed, at_once):
    start = 15_000.0
    curve = with_drop(simulated_curve(LONG_RUN, 20_000, noise=0.02, seed=seed), start, 0.04, at_once=at_once)
    drop = find_late_drop(curve.step, curve.loss)
    assert drop is not None
    assert drop.start == pytest.approx(start, rel=0.06)
    assert "likely" in next(reason.message for reason in fit(curve).reasons if reason.code == "cooldown")


@pytest.mark.parametrize("n", [400, 777, 5_000])
def test_late_bins_are_medians_of_their_rows(n):
    step = np.cumsum(np.random.default_rng(n).integers(1, 4, n)).astype(float)
    loss = np.exp(np.random.default_rng(1).normal(size=n))
    x, y = _bins(step, loss)
    late = step >= 0.1 * step[-1]
    t, log_loss = step[late], np.log(loss[late])
    first = np.unique(np.searchsorted(t, np.linspace(t[0], t[-1], 121)[:-1]))
    np.testing.assert_array_equal(y, [np.median(part) for part in np.split(log_loss, first[1:])])
    np.testing.assert_allclose(x, [np.log(part).mean() for part in np.split(t, first[1:])])


@pytest.mark.parametrize("law", [SHORT_RUN, POWER_LAW, LONG_RUN], ids=["short", "power law", "long"])
@pytest.mark.parametrize("misfit", [0.0, 0.005])
def test_no_drop_is_seen_where_there_is_none(law, misfit):
    """Also not in a curve that flattens, by its break or by a floor, or that spikes."""
    for seed in range(12):
        curve = simulated_curve(law, 5_000, noise=0.02, misfit=misfit, seed=seed)
        spiked = curve.loss * np.where((curve.step > 2_500) & (curve.step < 2_540), 1.5, 1.0)
        for loss in (curve.loss, curve.loss + 2.0, spiked):
            assert find_late_drop(curve.step, loss) is None


def test_step_down_at_the_break_blocks():
    """The learning rate falls while the fit runs through it: what looks like a break may be the schedule."""
    curve = replace(simulated_curve(SHORT_RUN, 2_048, noise=0.01), lr=np.where(np.arange(1, 2_049) < 180, 1.0, 0.3))
    found = fit(curve, cutoff=20, phase="whole")
    assert found.verdict == "cannot-tell"
    assert levels(found, "step-down") == ["blocking"]


@pytest.mark.parametrize(("end", "level"), [(10, "note"), (400, "blocking")])
def test_warm_up_matters_when_it_reaches_the_break(end, level):
    lr = np.minimum(np.arange(1, 2_049) / end, 1.0)
    found = fit(replace(simulated_curve(SHORT_RUN, 2_048, noise=0.01), lr=lr), cutoff=20)
    assert levels(found, "warm-up") == [level]
    assert found.verdict == ("decelerates" if level == "note" else "cannot-tell")


def test_decay_all_through_is_fitted_whole():
    found = fit(replace(simulated_curve(SHORT_RUN, 10_000, noise=0.01), lr=3e-4 * COSINE), cutoff=30)
    assert found.last_step == 10_000
    assert "all through the run" in next(reason.message for reason in found.reasons if reason.code == "cooldown")


def test_gaps_resumptions_and_spikes_are_told():
    curve = simulated_curve(SHORT_RUN, 2_048, noise=0.01)
    step, loss = curve.step, curve.loss.copy()
    loss[[900, 901, 1_500]] *= 1.4
    order = np.r_[0:1_000, 800:2_048]
    kept = order[(order < 600) | (order >= 790)]
    found = fit(clean_curve("untidy", step[kept], loss[kept]), cutoff=20)
    assert found.verdict == "decelerates"
    assert {"gap", "resumed", "spikes"} <= {reason.code for reason in found.reasons}
    assert "2 times (step 901, 1501)" in next(reason.message for reason in found.reasons if reason.code == "spikes")


def test_a_gap_that_hides_the_break_blocks():
    curve = simulated_curve(SHORT_RUN, 2_048, noise=0.005)
    kept = (curve.step < 130) | (curve.step > 240)
    found = fit(LossCurve("gap", curve.step[kept], curve.loss[kept]), cutoff=20)
    assert found.verdict == "cannot-tell"
    assert levels(found, "gap") == ["blocking"]


def test_tidy_curves_have_nothing_to_tell():
    assert fit(simulated_curve(SHORT_RUN, 2_048, noise=0.01, rate=True), cutoff=20).reasons == ()


@pytest.mark.parametrize(("name", "stable"), [("nanogpt_124M_adamw", 7_629), ("nanogpt_124M_muon", 4_340)])
def test_real_runs_are_fitted_on_their_stable_phase(reference_data, name, stable):
    found = fit(read_curve(reference_data / "curves" / "teaching" / f"{name}.csv"))
    assert found.verdict == "decelerates"
    assert found.last_step == pytest.approx(stable, rel=0.03)
    assert levels(found, "cooldown") == ["note"]


@pytest.mark.parametrize(
    ("name", "code", "at"), [("wsd_20000_24000", "cooldown", 19_968), ("wsdcon_9", "step-down", 7_936)]
)
def test_real_rate_changes_are_read_from_the_column_and_seen_without_it(reference_data, name, code, at):
    curve = read_curve(reference_data / "curves" / "teaching" / f"mpl_100M_{name}.csv")
    found = fit(curve)
    assert found.last_step == at
    assert levels(found, code) == ["note"]
    assert find_late_drop(curve.step, curve.loss).start == pytest.approx(at, rel=0.05)


def test_constant_real_run_has_no_change(reference_data):
    curve = read_curve(reference_data / "curves" / "teaching" / "mpl_100M_constant_72000.csv")
    assert logged_changes(curve.step, curve.lr) == ()
    assert find_late_drop(curve.step, curve.loss) is None
