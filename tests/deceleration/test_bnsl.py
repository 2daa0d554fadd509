"""The formula and what is read off it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerosum.deceleration import BNSL, asymptote
from zerosum.deceleration.bnsl import hinge

laws = st.builds(
    BNSL.from_rates,
    log_L_d=st.floats(-1, 3),
    r_before=st.floats(-0.5, 1),
    r_d=st.floats(-0.5, 1),
    log_t_d=st.floats(0, 14),
    log_f=st.floats(-3.5, 1.1),
)
steps = st.floats(1, 1e7)


@given(laws, steps)
def test_log_form_is_the_product_form(law, t):
    # b t^-c0 (1 + (t/d1)^(1/f1))^(-c1 f1), in extended precision because the inner power overflows doubles
    t = np.longdouble(t)
    product = law.b * t**-law.c0 * (1 + (t / law.d1) ** (1 / np.longdouble(law.f1))) ** (-law.c1 * law.f1)
    assert float(law.predict(float(t))) == pytest.approx(float(product), rel=1e-9)


@given(laws)
def test_lines_cross_at_L_d_and_the_curve_lies_beside_it(law):
    first = law.b * law.t_d**-law.c0
    assert law.L_d == pytest.approx(first, rel=1e-9)
    assert law.asymptote(law.t_d) == pytest.approx(law.L_d, rel=1e-12)
    assert float(law.predict(law.t_d)) == pytest.approx(2 ** (-law.c1 * law.f1) * law.L_d, rel=1e-9)


@given(laws)
def test_slopes_far_from_the_break_are_the_two_rates(law):
    far = 40 * law.f1
    for side, rate in ((-1, law.r_before), (1, law.r_d)):
        at = law.d1 * np.exp(side * far + np.array([0.0, 0.1]))
        slope = np.diff(law.log_loss(at))[0] / 0.1
        assert -slope == pytest.approx(rate, abs=1e-8)


@given(laws)
def test_the_curve_approaches_the_asymptote(law):
    late = law.d1 * np.exp(40 * law.f1)
    assert float(law.predict(late)) == pytest.approx(law.asymptote(late), rel=1e-9)


@given(st.floats(-700, 700), st.floats(0.001, 5))
def test_hinge_is_stable_and_between_its_lines(x, width):
    value = float(hinge(np.asarray(x), 0.0, width))
    rounding = 1e-12 * (abs(x) + width)
    assert max(x, 0) - rounding <= value <= max(x, 0) + width * np.log(2) + rounding


def test_steps_not_above_zero_have_no_loss():
    law = BNSL(b=18.0, c0=0.2, c1=-0.1, d1=100.0, f1=0.3)
    np.testing.assert_array_equal(np.isnan(law.predict([-1.0, 0.0, 1.0])), [True, True, False])


def test_scalar_in_scalar_out():
    assert BNSL(b=18.0, c0=0.2, c1=-0.1, d1=100.0, f1=0.3).predict(10).shape == ()


def test_asymptote_falls_with_a_positive_rate():
    assert asymptote(4.0, 100, 0.1, 1_000) == pytest.approx(4.0 * 10**-0.1)
