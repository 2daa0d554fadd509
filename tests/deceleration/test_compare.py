"""Two runs: the exact split of their difference in final loss, its intervals, and where they part."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.signal import lfilter
from simulated import POWER_LAW, SHORT_RUN, simulated_curve
from simulated_pairs import Misfit, differences

from zerosum.curves import LossCurve
from zerosum.deceleration import BNSL, compare, fit
from zerosum.deceleration.decomposition import Line, logarithmic_mean, split
from zerosum.deceleration.divergence import LogCurve, part_from
from zerosum.deceleration.intervals import OF_PARAMETERS
from zerosum.deceleration.residual_model import misfit_hypotheses
from zerosum.deceleration.shared_misfit import SHARES, partly_shared, spread_of_both
from zerosum.errors import InputError

BETTER = BNSL.from_rates(log_L_d=np.log(2.5), r_before=0.3, r_d=0.2, log_t_d=np.log(200.0), log_f=np.log(0.3))
numbers = st.tuples(st.floats(0.1, 3), st.floats(2, 9), st.floats(-0.3, 0.6), st.floats(2, 12))


def line(values):
    return Line(*(np.asarray(value) for value in values))


@given(numbers, numbers)
def test_terms_add_up_and_change_sign_with_the_order(one, two):
    a, b = line(one), line(two)
    forward, backward = split(a, b), split(b, a)
    scale = 1 + float(a.L_hat + b.L_hat) * (1 + sum(abs(v) for v in (*one, *two)))
    assert sum(forward.values()) == pytest.approx(float(b.L_hat - a.L_hat), abs=1e-12 * scale)
    for name, value in forward.items():
        assert float(value) == pytest.approx(-float(backward[name]), abs=1e-12 * scale)


@pytest.mark.parametrize("index", range(4))
def test_what_does_not_differ_has_no_term(index):
    base, other = [1.3, 5.0, 0.05, 9.0], [1.3, 5.0, 0.05, 9.0]
    other[index] += 0.1
    terms = split(line(base), line(other))
    assert [name for name, value in terms.items() if abs(value) > 1e-12] == [["L_d", "t_d", "r_d", "T"][index]]


def test_the_term_of_r_d_is_its_mean_effect_before_and_after_y_changes():
    """Shapley values of log L_hat for two factors, to nats by the quotient of differences: by hand."""
    a, b = line([1.3, 5.0, 0.05, 9.0]), line([1.2, 5.5, 0.08, 9.5])
    first = -(0.08 - 0.05) * (9.0 - 5.0)  # r_d changes before y
    last = -(0.08 - 0.05) * (9.5 - 5.5)  # and after it
    share = np.log(b.L_hat / a.L_hat) / (b.L_hat - a.L_hat)
    assert float(split(a, b)["r_d"]) == pytest.approx((first + last) / 2 / float(share), rel=1e-12)


@given(st.floats(0.01, 20), st.floats(0.01, 20))
def test_logarithmic_mean_is_the_mean_along_the_geometric_path(a, b):
    mean = float(logarithmic_mean(np.array(a), np.array(b)))
    assert mean == pytest.approx(quad(lambda s: a ** (1 - s) * b**s, 0, 1)[0], rel=1e-9)


def test_total_is_what_the_terms_add_up_to_and_the_truth_is_held():
    a = fit(simulated_curve(SHORT_RUN, 4_000, noise=0.01), cutoff=20)
    b = fit(simulated_curve(BETTER, 6_000, noise=0.01, seed=1), cutoff=20)
    found = compare(a, b)
    assert sum(term.nats for term in found.terms) == pytest.approx(b.L_T - a.L_T, abs=1e-12)
    assert found.total == b.L_T - a.L_T
    truth = split(
        *(
            line([np.log(law.L_d), np.log(law.t_d), law.r_d, np.log(T)])
            for law, T in ((SHORT_RUN, 4_000), (BETTER, 6_000))
        )
    )
    for term in found.terms[:4]:
        assert term.interval[0] <= float(truth[term.name]) <= term.interval[1], term
    wide = compare(a, b, level=0.99)
    assert wide.terms[0].interval[0] < found.terms[0].interval[0]


def test_intervals_hold_zero_for_two_seeds_of_the_same_run():
    held = []
    for seed in range(12):
        a, b = (
            fit(simulated_curve(SHORT_RUN, 2_048, noise=0.015, misfit=0.003, seed=2 * seed + k, rate=True), cutoff=20)
            for k in (0, 1)
        )
        held += [term.interval[0] <= 0 <= term.interval[1] for term in compare(a, b).terms[:3] if term.interval]
    assert len(held) >= 30
    assert np.mean(held) >= 0.9


def width_of_both(a, b):
    """Widths of the errors of L_d, t_d and r_d, b minus a, over those that fits with independent errors would have."""
    a, b = a.fit_errors, b.fit_errors
    apart = a.spread(-OF_PARAMETERS).plus(b.spread(OF_PARAMETERS))
    return spread_of_both(-OF_PARAMETERS, a, OF_PARAMETERS, b).half_widths(0.95) / apart.half_widths(0.95)


def test_misfit_that_both_curves_share_does_not_widen_their_difference():
    """Curves of one suite bend away from the law in the same way: what they share says nothing of how they differ."""
    held, widths = [], []
    for seed in range(20):
        plain = simulated_curve(SHORT_RUN, 2_048, noise=0.002, misfit=0.01, seed=seed)
        noise = np.random.default_rng(100 + seed).normal(size=len(plain.step)) * 0.002
        lower = replace(plain, loss=0.8 * plain.loss * np.exp(noise))
        a, b = fit(plain, cutoff=20), fit(lower, cutoff=20)
        widths.append(width_of_both(a, b))
        intervals = [term.interval for term in compare(a, b).terms[1:3] if term.interval]
        held += [low <= 0 <= high for low, high in intervals]
    assert len(held) >= 20
    assert np.mean(held) >= 0.9
    assert np.median(widths) < 0.5


def test_slow_misfit_of_each_curve_is_seldom_taken_for_a_difference():
    """Residuals show little of such misfit, so that sharing may not be assumed. 1,000 pairs a cell: tests/long."""
    slow = Misfit(0.005, distance=1.2)
    result = differences(slow, 2_048, 0.5, 20, seed=0)
    assert max(result.false.values()) <= 0.05
    assert result.found >= 0.25
    rng, step = np.random.default_rng(0), np.arange(1.0, 2_049)
    log_losses = SHORT_RUN.log_loss(step) + slow.of_two(rng, np.log(step)) + 0.015 * rng.normal(size=(2, 2_048))
    a, b = (fit(LossCurve("run", step, np.exp(y)), cutoff=20) for y in log_losses)
    assert min(width_of_both(a, b)) > 0.9


@pytest.mark.parametrize("number", range(len(SHARES)))
def test_partly_shared_misfits_have_the_covariance_of_their_sum(number):
    """A common process with variance `share`, and one of each curve with the rest; the curves need no equal steps."""
    x = np.concatenate([np.linspace(3, 8, 40), np.linspace(4, 9, 30)])
    misfit = misfit_hypotheses(x, np.full(70, 0.02))
    both = partly_shared(misfit, 40)
    hypotheses = len(misfit.power) - 1  # all but that of no misfit
    share = np.where(np.equal.outer(np.arange(70) < 40, np.arange(70) < 40), 1.0, SHARES[number])
    for hypothesis in (0, 20, hypotheses - 1):
        kernel = misfit.modes * misfit.power[1 + hypothesis] @ misfit.modes.T
        found = both.modes * both.power[number * hypotheses + hypothesis] @ both.modes.T
        np.testing.assert_allclose(found, share * kernel, atol=1e-12)


def test_axis_tokens_moves_the_difference_between_t_d_and_T():
    a = simulated_curve(SHORT_RUN, 4_000, noise=0.005)
    b = replace(a, step=a.step * 2, tokens=a.step * 1_000, name="half the batch")
    a = replace(a, tokens=a.step * 1_000)
    by_steps, by_tokens = ({t.name: t.nats for t in compare(fit(a, cutoff=20), fit(b, cutoff=40), axis=axis).terms}
                           for axis in ("steps", "tokens"))  # fmt: skip
    assert by_steps["t_d"] == pytest.approx(-by_steps["T"], rel=1e-3)
    assert by_steps["t_d"] > 0.1
    assert all(abs(value) < 1e-3 for value in by_tokens.values())


def test_axis_tokens_needs_tokens_at_an_even_pace():
    curve = simulated_curve(SHORT_RUN, 2_048, noise=0.01)
    without, growing = fit(curve), fit(replace(curve, tokens=curve.step**1.5))
    with pytest.raises(InputError, match="no tokens"):
        compare(without, without, axis="tokens")
    with pytest.raises(InputError, match="same number of tokens"):
        compare(growing, growing, axis="tokens")


def test_runs_part_where_one_of_them_starts_to_fall():
    a = simulated_curve(SHORT_RUN, 10_000, noise=0.01, seed=1)
    b = simulated_curve(SHORT_RUN, 10_000, noise=0.01, seed=2)
    lower = replace(b, loss=b.loss * np.exp(-0.1 * np.clip(np.log(b.step / 1_000), 0, None)))
    found = compare(fit(a, phase="whole"), fit(lower, phase="whole"))
    assert found.differ_from == pytest.approx(1_000, rel=0.35)
    same = compare(fit(a), fit(b))
    assert same.differ_from is None
    assert "noise" in same.differ_reason


@pytest.mark.parametrize("phi", [0.0, 0.9])
@pytest.mark.parametrize("rows", [2_048, 3_000, 4_000])
def test_runs_of_the_same_law_do_not_part(rows, phi):
    """Fewer than 2 % of 100 pairs, and of all 600; also where one run is longer than the other."""
    rng, step = np.random.default_rng(rows), np.arange(1.0, 1.5 * rows)

    def one(last):
        e = lfilter([np.sqrt(1 - phi**2)], [1, -phi], 0.02 * rng.normal(size=last))
        return LogCurve(np.log(step[40:last]), (SHORT_RUN.log_loss(step[:last]) + e)[40:])

    parted = [part_from(one(rows), one(int(rows * rng.choice([1.0, 1.4])))) is not None for _ in range(100)]
    assert sum(parted) < 2


def test_curves_without_a_common_range_do_not_part():
    x = np.log(np.arange(1.0, 100))
    assert part_from(LogCurve(x, x), LogCurve(x + 20, x)) is None
    assert part_from(LogCurve(x[:0], x[:0]), LogCurve(x, x)) is None


def test_a_run_without_a_break_has_no_terms_and_says_why():
    a = fit(simulated_curve(SHORT_RUN, 2_048, noise=0.01), cutoff=20)
    b = fit(simulated_curve(POWER_LAW, 2_048, noise=0.01), cutoff=20)
    found = compare(a, b)
    assert found.terms == ()
    assert "power law" in found.reason
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["terms_reason"] == found.reason


def test_without_an_interval_of_a_fit_terms_have_none():
    a = fit(simulated_curve(SHORT_RUN, 2_048, noise=0.01), cutoff=20)
    names = a.intervals
    found = compare(a, replace(a, intervals=dict.fromkeys(names), interval_reasons=dict.fromkeys(names, "x")))
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert [term["interval_reason"] for term in document["terms"]] == ["simulated: x"] * 5


def with_decay(curve, start, size):
    """The rate is constant up to `start` and then falls to 0; the log loss falls by up to `size` with it."""
    share = np.clip((curve.step[-1] - curve.step) / (curve.step[-1] - start), 0, 1)
    return replace(curve, loss=curve.loss * np.exp(-size * (1 - share)), lr=3e-4 * share)


@pytest.mark.parametrize("seed", range(6))
def test_the_sign_is_that_of_the_last_losses_where_a_run_decays(seed):
    """Random lengths, decays and differences: the total is read where the logs end, not where the fits stop."""
    rng = np.random.default_rng(seed)
    last_a, last_b = (int(value) for value in rng.choice([6_000, 6_000, 9_000], 2))
    better = rng.uniform(0.02, 0.06) * rng.choice([-1, 1])
    a, b = simulated_curve(SHORT_RUN, last_a, noise=0.005), simulated_curve(SHORT_RUN, last_b, noise=0.005, seed=1)
    b = replace(b, loss=b.loss * np.exp(better))
    a = with_decay(a, rng.uniform(0.4, 0.9) * last_a, 0.12)
    if seed % 2:
        b = with_decay(b, rng.uniform(0.4, 0.9) * last_b, 0.12)
    found = compare(fit(a, cutoff=20), fit(b, cutoff=20))
    ends = [float(np.exp(np.log(c.loss[c.step > c.step[-1] * 0.98]).mean())) for c in (a, b)]
    assert found.total == pytest.approx(ends[1] - ends[0], abs=0.25 * abs(ends[1] - ends[0]) + 0.02)
    assert (found.ends.a, found.ends.b) == (last_a, last_b)
    assert found.ends.fitted_a < last_a
    assert sum(term.nats for term in found.terms) == pytest.approx(found.total, abs=1e-12)
    T = next(term for term in found.terms if term.name == "T")
    assert T.exactly_zero == (last_a == last_b)
    equal = min(last_a, last_b)
    near = [np.log(c.loss[(c.step <= equal) & (c.step > equal * 0.97)]).mean() for c in (a, b)]
    if last_a == last_b:
        assert np.isnan(found.ends.at_equal)
    else:
        assert found.ends.at_equal == pytest.approx(float(np.diff(np.exp(near))[0]), abs=0.03)


def test_a_decay_alone_is_not_called_longer_training():
    """Two runs of one length, the first decays: it ends lower though its fit, which stops early, ends higher."""
    plain = simulated_curve(SHORT_RUN, 6_000, noise=0.003)
    a, b = fit(with_decay(plain, 2_500, 0.2), cutoff=20), fit(plain, cutoff=20)
    assert b.L_T < a.L_T
    found = compare(a, b)
    assert found.total > 0.1
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert document["read_at"] == {"a": 6_000, "b": 6_000}
    assert document["fitted_to"]["a"] == pytest.approx(2_500, rel=0.03)
    assert document["equal"] == {"read_at": 6_000, "total": None, "total_reason": "both logs end there"}


def test_logs_that_do_not_overlap_have_no_difference_at_equal_steps():
    whole = simulated_curve(SHORT_RUN, 6_000, noise=0.003)
    early = replace(whole, step=whole.step[:2_000], loss=whole.loss[:2_000])
    late = replace(whole, step=whole.step[3_000:], loss=whole.loss[3_000:])
    ends = compare(fit(early), fit(late)).ends
    assert np.isnan(ends.at_equal)
    assert not ends.together
