"""A law shows itself: printed, tabled and drawn."""

import math

import numpy as np
import pytest
from simulated_runs import family

from zerosum.scaling import fit, hold_out
from zerosum.scaling.profile import Profile
from zerosum.show import records
from zerosum.show.report import Report
from zerosum.show.sections import scaling_laws, scaling_profiles


@pytest.fixture(scope="module")
def fitted():
    return fit(family(np.random.default_rng(0), sizes=5, checkpoints=4), per_axis=3, draws=60)


def test_a_law_prints_its_parameters_and_the_verdict(fitted):
    lines = repr(fitted).splitlines()
    assert len(lines) <= 12
    assert "identified" in lines[0]
    assert all(any(line.startswith(name) for line in lines) for name in fitted.params)


def test_its_table_and_figure_have_every_number(fitted):
    frame = fitted.table()
    assert list(frame["parameter"]) == list(fitted.params)
    assert frame["value"].tolist() == [estimate.value for estimate in fitted.params.values()]
    rows = scaling_laws.numbers(records.report_on(fitted))
    assert [row["loss"] for row in rows] == fitted.table_fitted.loss.tolist()
    names = [ax.get_xlabel().split(" (")[0] for ax in fitted.plot().axes]
    assert names == ["parameters N", "training tokens D", "training FLOPs C = 6 N D", "training tokens D"]


def test_the_held_out_losses_are_ringed_in_every_panel(fitted):
    held = hold_out(fitted.table_fitted, draws=60)
    figure = scaling_laws.plot(Report("", (), (fitted, held)))
    rings = [line for ax in figure.axes for line in ax.lines if line.get_markerfacecolor() == "none"]
    assert len(rings) == 4
    assert [len(ring.get_xdata()) for ring in rings] == [len(held.losses)] * 4
    assert rings[0].get_ydata().tolist() == [loss.loss for loss in held.losses]
    assert "held out" in [text.get_text() for text in figure.legends[0].texts]


def test_profiles_are_drawn_up_to_where_they_leave_the_interval(fitted):
    report = Report("", (), (fitted,))
    axes = scaling_profiles.plot(report).axes
    assert [ax.get_xlabel() for ax in axes] == ["alpha", "beta", "E (nats per token)"]
    rows = scaling_profiles.numbers(report)
    assert {row["parameter"] for row in rows} == {one.parameter for one in fitted.profiles}
    for profile in fitted.profiles:
        within = [row["rise"] <= row["threshold"] for row in rows if row["parameter"] == profile.parameter]
        assert any(within)
        assert not all(within)
    (sentence,) = scaling_profiles.sentences(report)
    assert all(name in sentence for name in ("alpha", "beta", "E "))


def test_an_open_interval_is_said_in_words():
    wide = with_ends((-math.inf, 0.4)), with_ends((0.1, math.inf)), with_ends((-math.inf, math.inf))
    assert [scaling_profiles._interval(one) for one in wide] == ["alpha up to 0.4", "alpha from 0.1", "alpha any value"]


def with_ends(ends):
    return Profile("alpha", np.array([0.2, 0.3]), np.array([0.0, 1.0]), 0.5, ends)
