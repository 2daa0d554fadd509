"""Procedure "robust", intervals, cut-offs, and the record they end in."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import LONG_RUN, POWER_LAW, SHORT_RUN, simulated_curve

from zerosum.curves import LossCurve, read_curve
from zerosum.deceleration import cutoff_table, fit
from zerosum.errors import InputError


@pytest.mark.parametrize(("law", "last_step"), [(SHORT_RUN, 2_048), (LONG_RUN, 200_000)])
def test_recovers_what_it_was_simulated_with(law, last_step):
    found = fit(simulated_curve(law, last_step, noise=0.02, rate=True))
    assert found.verdict == "decelerates"
    assert found.L_d == pytest.approx(law.L_d, rel=0.02)
    assert found.t_d == pytest.approx(law.t_d, rel=0.1)
    assert found.r_d == pytest.approx(law.r_d, abs=0.006)
    assert pytest.approx(float(law.predict(last_step)), rel=0.01) == found.L_T
    assert found.L_T_hat == pytest.approx(found.params.asymptote(last_step))


def test_default_cutoff_is_one_percent_and_at_most_100():
    assert fit(simulated_curve(SHORT_RUN, 2_048)).cutoff == 20
    assert fit(simulated_curve(LONG_RUN, 50_000)).cutoff == 100
    assert fit(simulated_curve(LONG_RUN, 50_000), cutoff=7).cutoff == 7


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """60 short runs with noise and smooth misfit: 95 % intervals should miss rarely, and not be endless."""
    held = {"L_d": [], "t_d": [], "r_d": []}
    for seed in range(60):
        found = fit(simulated_curve(SHORT_RUN, 2_048, noise=0.015, misfit=0.003, seed=seed), cutoff=20)
        for name, interval in found.intervals.items():
            if interval:
                held[name].append(interval[0] <= getattr(SHORT_RUN, name) <= interval[1])
    for name, inside in held.items():
        assert len(inside) >= 50, name
        assert np.mean(inside) >= 0.85, name


def test_wider_level_wider_interval():
    curve = simulated_curve(SHORT_RUN, 2_048, noise=0.02)
    narrow, wide = fit(curve, level=0.5), fit(curve, level=0.99)
    for name in ("L_d", "t_d", "r_d"):
        assert wide.intervals[name][0] < narrow.intervals[name][0] < getattr(wide, name)
        assert wide.intervals[name][1] > narrow.intervals[name][1] > getattr(wide, name)


def test_interval_is_none_with_a_reason_when_it_reaches_the_edge():
    found = fit(simulated_curve(SHORT_RUN, 2_048, noise=0.01), cutoff=120)
    assert found.intervals["t_d"] is None
    assert "edge" in found.interval_reasons["t_d"]
    shown = found.to_json()["intervals"]
    assert shown["t_d"] is None
    assert shown["t_d_reason"] == found.interval_reasons["t_d"]


def test_cutoff_table_is_what_fits_with_these_cutoffs_give():
    curve = simulated_curve(SHORT_RUN, 2_048, noise=0.02)
    for row in cutoff_table(curve, [10, 20, 40]):
        alone = fit(curve, cutoff=row.cutoff)
        assert (alone.L_d, alone.t_d, alone.r_d) == pytest.approx((row.L_d, row.t_d, row.r_d), rel=1e-6)
        assert row.n_bins == alone.n_bins == row.to_json()["n_bins"]


def test_cutoff_table_of_nothing_is_empty():
    assert cutoff_table(simulated_curve(SHORT_RUN, 2_048), []) == ()


def test_multiplying_losses_changes_L_d_alone():
    curve = simulated_curve(SHORT_RUN, 2_048, noise=0.02)
    one, two = fit(curve), fit(LossCurve("twice", curve.step, 2 * curve.loss))
    assert two.L_d == pytest.approx(2 * one.L_d, rel=1e-6)
    assert two.t_d == pytest.approx(one.t_d, rel=1e-5)
    assert two.r_d == pytest.approx(one.r_d, abs=1e-7)


def test_multiplying_steps_changes_t_d_alone():
    curve = simulated_curve(SHORT_RUN, 2_048, noise=0.02)
    one, ten = fit(curve, cutoff=20), fit(LossCurve("ten", 10 * curve.step, curve.loss), cutoff=200)
    assert ten.t_d == pytest.approx(10 * one.t_d, rel=1e-5)
    assert ten.L_d == pytest.approx(one.L_d, rel=1e-6)


def test_json_is_json_and_has_the_promised_names():
    document = json.loads(json.dumps(fit(simulated_curve(SHORT_RUN, 2_048, noise=0.02)).to_json(), allow_nan=False))
    promised = "name source format n_points first_step last_step procedure params L_d t_d r_d L_T L_T_hat rsle n_bins"
    for name in [*promised.split(), "intervals", "verdict", "reasons", "cutoffs", "cleaning"]:
        assert name in document
    assert set(document["params"]) == {"b", "c0", "c1", "d1", "f1"}
    assert set(document["intervals"]) == {"L_d", "t_d", "r_d", "level", "method", "widening"}


def test_json_says_why_a_number_is_missing():
    document = fit(LossCurve("short", np.arange(1.0, 5), np.full(4, 3.0))).to_json()
    assert document["t_d"] is None
    assert "4 rows" in document["t_d_reason"]
    json.dumps(document, allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(
    losses=st.lists(st.floats(1e-300, 1e300), min_size=1, max_size=150),
    every=st.sampled_from([1, 7, 1_000]),
    procedure=st.sampled_from(["robust", "paper"]),
    cutoff=st.sampled_from([None, 0, 10]),
)
def test_any_curve_gets_an_answer(losses, every, procedure, cutoff):
    step = np.arange(len(losses), dtype=np.float64) * every
    found = fit(LossCurve("any", step, np.array(losses)), procedure=procedure, cutoff=cutoff)
    json.dumps(found.to_json(), allow_nan=False)


def test_calls_that_make_no_sense_are_refused():
    curve = simulated_curve(SHORT_RUN, 100)
    with pytest.raises(InputError, match="cut-off -1"):
        fit(curve, cutoff=-1)
    with pytest.raises(InputError, match="level 95"):
        fit(curve, level=95.0)


def test_published_curves_agree_between_procedures(reference_data):
    for path in sorted((reference_data / "curves" / "paper").glob("*.csv")):
        curve = read_curve(path)
        robust, paper = fit(curve), fit(curve, procedure="paper")
        assert robust.verdict == "decelerates", path
        assert robust.t_d == pytest.approx(paper.t_d, rel=0.1), path
        assert robust.L_d == pytest.approx(paper.L_d, rel=0.03), path


def test_power_law_has_no_break():
    assert fit(simulated_curve(POWER_LAW, 2_048, noise=0.02)).verdict == "no-break"
