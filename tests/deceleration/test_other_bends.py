"""What bends a curve beside one break: several breaks, an unlogged warm-up, too few points. Random curves."""

from dataclasses import replace

import numpy as np
import pytest
from simulated import LONG_RUN, POWER_LAW, SHORT_RUN, bent, simulated_curve, warmed_up

from zerosum.curves import LossCurve
from zerosum.deceleration import fit, fit_breaks
from zerosum.deceleration.bends import more_bends, structured_misfit
from zerosum.deceleration.sides import FEWEST, not_measured
from zerosum.deceleration.warm_ups import LONGEST, best_warm_up


def blocking(found):
    return {reason.code for reason in found.reasons if reason.level == "blocking"}


def three_stages(seed):
    """Steep, flat, steep; or flat, steep, flat. At least a factor of 2.5 in steps lies between bends and ends."""
    rng = np.random.default_rng(seed)
    last = 10 ** rng.uniform(3.9, 5)
    first = max(100.0, 0.01 * last) * 10 ** rng.uniform(0.4, 0.7)
    steep, flat = rng.uniform(0.25, 0.4, 2), rng.uniform(0.02, 0.08, 2)
    rates = (steep[0], flat[0], steep[1]) if seed % 2 else (flat[0], steep[0], flat[1])
    step = np.unique(np.geomspace(1, last, int(rng.integers(150, 2_000))).round())
    return bent(rates, (first, first * rng.uniform(3, 5)), step, noise=rng.choice([0.002, 0.008]), seed=seed)


def test_curves_of_three_stages_are_no_power_laws_and_their_breaks_are_counted():
    found = [fit(three_stages(seed)) for seed in range(12)]
    assert not any(one.verdict == "no-break" for one in found)
    assert not any("Train longer" in reason.message for one in found for reason in one.reasons)
    several = [one for one in found if "bends-more-than-once" in blocking(one)]
    assert len(several) >= 10
    assert all("breaks, at steps" in one.reasons[0].message for one in several)


def test_the_places_and_rates_of_several_breaks_are_those_of_fit_breaks():
    curve = bent((0.08, 0.33, 0.08), (600.0, 1_900.0), np.geomspace(1, 20_000, 160))
    breaks = fit_breaks(curve, 2)
    message = fit(curve).reasons[0].message
    assert "at steps {:.0f} and {:.0f}".format(*(one.t_d for one in breaks.breaks)) in message
    rates = [breaks.breaks[0].r_before, *(one.r_d for one in breaks.breaks)]
    assert f"rates {', '.join(f'{rate:.2g}' for rate in rates)})" in message


def test_a_curve_with_one_break_or_none_does_not_bend_more_than_once():
    """With wander too, as real curves have it."""
    for law, cutoff in ((POWER_LAW, 20.0), (SHORT_RUN, 20.0)):
        for seed in range(4):
            curve = simulated_curve(law, 2_048, noise=0.015, misfit=0.01, seed=seed, rate=True)
            assert "bends-more-than-once" not in {reason.code for reason in fit(curve, cutoff=cutoff).reasons}
    x = np.linspace(4, 10, 100)
    assert (
        more_bends(x, -0.1 * x + 0.002 * np.random.default_rng(0).normal(size=100), np.arange(100) * 8 // 100) is None
    )


def test_noise_is_no_structured_misfit_and_a_bend_is():
    rng = np.random.default_rng(0)
    noise = 0.05 * rng.normal(size=400)
    assert structured_misfit(noise) < 0.02
    wave = 0.05 * np.sin(np.linspace(0, 6 * np.pi, 400))
    assert structured_misfit(wave + 0.02 * rng.normal(size=400)) == pytest.approx(0.05 / np.sqrt(2), rel=0.1)
    assert structured_misfit(noise[:2]) == 0.0


@pytest.mark.parametrize("first_row", ["as it is", "ten times the second"])
def test_two_to_five_points_before_the_break_measure_no_rate(first_row):
    """A log every 50 to 500 steps, which breaks before its sixth row."""
    for seed in range(8):
        rng = np.random.default_rng(seed)
        every, after = float(rng.choice([50, 100, 200])), rng.uniform(0.03, 0.15)
        rates, at = (after + rng.uniform(0.05, 2), after), every * rng.uniform(2, 5.4)
        curve = bent(rates, (at,), every * np.arange(1, rng.integers(150, 500)), noise=0.005, seed=seed)
        if first_row != "as it is":
            curve = replace(curve, loss=np.append(10 * curve.loss[1], curve.loss[1:]))
        assert not fit(curve).has_break


def test_the_first_point_alone_makes_no_rate():
    x = np.linspace(5, 10, 60)
    law = LONG_RUN
    real = law.log_loss(np.exp(x))
    assert not_measured(x, real, law) == ""
    before = int(np.searchsorted(x, np.log(law.t_d)))
    line = real[before] - law.r_d * (x - x[before])
    assert "without the first" in not_measured(x, np.append(real[0], line[1:]), law)
    late = x[before - FEWEST + 1 :]
    assert not_measured(late, law.log_loss(np.exp(late)), law).startswith("too few points before the break: 5 fitted")
    early = x[: before + 3]
    assert not_measured(early, law.log_loss(np.exp(early)), law).startswith("too few points after the break: 3 fitted")


@pytest.mark.parametrize("noise", [0.001, pytest.param(0.01, marks=pytest.mark.long)])
def test_a_warm_up_that_was_not_logged_is_no_deceleration(noise):
    """Never firmer than with the learning rate beside it."""
    firm = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        end, rate = 10 ** rng.uniform(2.1, np.log10(2_500)), rng.uniform(0.06, 0.2)
        curve = warmed_up(end, rate=rate, last_step=20_000, noise=noise, seed=seed)
        firm += fit(curve).has_break
        logged = replace(curve, lr=np.minimum(curve.step / end, 1.0))
        assert fit(logged).verdict in ("cannot-tell", "no-break")
    assert firm <= 1


def test_the_warm_up_that_fits_is_the_one_that_was():
    for end in (150, 700, 2_000):
        curve = warmed_up(end, noise=0.001)
        rows = curve.step > 100
        found = best_warm_up(np.log(curve.step[rows]), np.log(curve.loss[rows]))
        assert found.end == pytest.approx(end, rel=0.2)
        assert found.rsle < 0.004
    late = np.geomspace(2 * LONGEST, 10 * LONGEST, 50)
    assert best_warm_up(np.log(late), np.log(late)) is None


def test_a_break_that_no_warm_up_makes_stays_one_with_the_caveat_said():
    decelerates = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        after = rng.uniform(0.02, 0.06)
        rates, at = (after * rng.uniform(3, 5), after), 10 ** rng.uniform(2.8, 3.8)
        curve = replace(bent(rates, (at,), np.arange(10.0, 40_000, 20), noise=0.01, width=0.3, seed=seed), lr=None)
        found = fit(curve)
        codes = {(reason.code, reason.level) for reason in found.reasons}
        decelerates += found.verdict == "decelerates" and ("rate-not-logged", "note") in codes
    assert decelerates >= 7


def test_a_faster_fall_without_a_learning_rate_cannot_be_told():
    """A cosine makes it: with its rate logged it is a decay, and without it nothing is known."""
    step = np.arange(1.0, 10_001)
    share = 0.5 + 0.5 * np.cos(np.pi * step / 10_000)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        loss = 10 * step ** -rng.uniform(0.08, 0.2) * (1 - rng.uniform(0.05, 0.15) * (1 - share))
        curve = LossCurve("cosine", step, loss * np.exp(0.01 * rng.normal(size=len(step))))
        assert not fit(curve).has_break
        assert not fit(replace(curve, lr=share)).has_break
