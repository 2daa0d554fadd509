"""Laws of L_d, t_d and r_d over sizes: recovered, covered, shown, and what is refused."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from simulated_sizes import LAWS, SCENARIOS, family, lines, measure

from zerosum import InputError, LossCurve, fit
from zerosum.scaling import deceleration, hold_out, losses_of, sized_runs
from zerosum.scaling import fit as law_fit
from zerosum.scaling.shared_errors import between
from zerosum.scaling.weighted_line import weighted_line
from zerosum.show.records import report_on
from zerosum.show.sections import scaling_deceleration

SIZES = (2e7, 5e7, 1.2e8, 3e8, 7e8)
FAST = {"draws": 20}
STEPS = np.unique(np.round(np.geomspace(1, 60_000, 500)))


def curve(N, seed=0, noise=0.001, last=60_000, per_step=None, lr=None, name=None):
    """A loss curve that breaks as LAWS say."""
    log_L_d, log_t_d, r_d = lines(LAWS, N)
    steps = STEPS[last >= STEPS]
    away = np.log(steps) - log_t_d
    log_loss = log_L_d - 0.2 * away - (r_d - 0.2) * 0.3 * np.logaddexp(0, away / 0.3)
    log_loss += noise * np.random.default_rng([seed, int(N)]).standard_normal(len(steps))
    tokens = None if per_step is None else steps * per_step
    return LossCurve(name or f"model-{N / 1e6:g}M", steps, np.exp(log_loss), tokens, lr)


@pytest.fixture(scope="module")
def fits():
    return [fit(curve(N, per_step=1e5)) for N in SIZES]


@pytest.fixture(scope="module")
def across(fits):
    return deceleration(fits, predict=[2e9])


def test_the_laws_are_those_of_the_curves(across):
    assert [row.n_params for row in across.sizes] == list(SIZES)
    for quantity, (_, exponent) in LAWS.items():
        law = across.law(quantity)
        assert law.exponent.value == pytest.approx(exponent, abs=0.004)
        assert not law.exponent.excludes(exponent)
        assert set(law.without) == set(SIZES)
    L_d, tokens = across.law("L_d"), across.law("t_d_tokens")
    assert L_d.verdict == "identified"
    assert tokens.exponent.value == pytest.approx(across.law("t_d").exponent.value)
    assert float(tokens.value(1e8)) == pytest.approx(1e5 * float(across.law("t_d").value(1e8)))


def test_shares_add_up_and_the_largest_size_is_predicted(across):
    for gain in across.gains:
        assert sum(term.value for term in gain.terms.values()) == pytest.approx(gain.total.value)
        assert sum(share.value for share in gain.shares.values()) == pytest.approx(1)
    held = across.held_out
    assert abs(held.error) < 0.01
    assert held.held
    (ahead,) = across.ahead
    assert ahead.loss.value < held.reached
    assert not ahead.reasons
    assert deceleration(across.fits, predict=[1e12]).ahead[0].reasons[0].code == "far-extrapolation"


def test_a_line_with_equal_independent_errors_is_least_squares():
    rng = np.random.default_rng(1)
    x, y = np.arange(7.0), rng.standard_normal(7)
    line = weighted_line(x - x.mean(), y, 1e-6 * np.eye(7))
    slope, at_centre = np.polyfit(x - x.mean(), y, 1)
    assert (line.slope, line.at_centre) == pytest.approx((slope, at_centre))
    left = y - at_centre - slope * (x - x.mean())
    by_hand = np.sqrt(left @ left / 5 / ((x - x.mean()) ** 2).sum())
    assert np.sqrt(line.covariance(line)[1, 1]) == pytest.approx(by_hand, rel=0.02)


def test_errors_that_all_sizes_share_move_no_slope():
    x = np.linspace(-2, 2, 6)
    y = 1 + 0.5 * x + 0.001 * np.array([1, -1, 0, 0, -1, 1])
    shared = 0.04 * np.ones((6, 6)) + 1e-6 * np.eye(6)
    narrow, wide = (weighted_line(x, y, V).half_widths(0.95)[1] for V in (shared, np.diag(np.diag(shared))))
    assert narrow < wide / 50


def test_correlation_between_sizes_is_found():
    shared, alone = (
        family(np.random.default_rng(3), sizes=5, **scenario).correlation
        for scenario in (SCENARIOS["smooth over sizes"], SCENARIOS["not shared"])
    )
    neighbours = np.diag(between(np.log(np.geomspace(1.4e7, 1e9, 5)), (2.0, 2.0, 0.02)), 1)
    assert np.diag(shared, 1)[:4] == pytest.approx(neighbours, abs=0.15)
    assert np.diag(alone, 1).max() < 0.4


def test_intervals_cover():
    measured = [measure(seed, **SCENARIOS["smooth over sizes"])[0] for seed in range(8)]
    covers = np.mean([held for one in measured for held in one.values()])
    assert covers >= 0.88


def test_two_curves_alone_and_bad_sizes_are_refused(fits):
    curves = [one.curve for one in fits]
    for given, options, part in (
        (fits[:2], {}, "2 sizes with a break (2e+07, 5e+07)"),
        ([fits[0], fits[0], *fits[1:]], {}, "a run given twice"),
        (fits, {"params": [1, 2]}, "2 sizes for 5 runs"),
        (fits, {"params": ["14M", "30M", float("nan"), "1B", "2B"]}, "N is 'nan'"),
        (fits, {"params": [14, 30, 70, 160, 410]}, "in millions or billions?"),
        ([replace(one, name="run") for one in curves], {}, "its size is not known"),
        ([replace(curves[0], name="7B-of-300M"), *curves[1:]], {}, "several sizes"),
        (fits, {"tokens_per_step": [1e5, 1e5]}, "2 numbers for 5 runs"),
        (fits, {"tokens_per_step": -1.0}, "not above 0"),
    ):
        with pytest.raises(InputError) as refused:
            deceleration(given, **options)
        assert part in str(refused.value)
        assert "\n" not in str(refused.value)


def test_other_counts_of_parameters_are_not_mixed(fits):
    def count(source):
        return (20_000_000, 15_000_000) if source == "a" else None

    curves = [replace(one.curve, source=source) for one, source in zip(fits, "abcde", strict=True)]
    with pytest.raises(InputError, match="Count the same parameters"):
        sized_runs(curves, count=count)
    (without,) = sized_runs(curves[:1], count=count, embeddings=False)
    assert (without.size.N, without.size.N_is) == (15e6, "without embeddings")


def test_a_size_twice_is_averaged_and_its_spread_is_used(fits):
    again = [fit(curve(N, seed=1, per_step=1e5)) for N in SIZES[:2]]
    with_seeds = deceleration([*fits, *again])
    first = with_seeds.sizes[0]
    assert len(first.runs) == 2
    assert len(with_seeds.sizes) == len(SIZES)
    both = [fits[0].L_d, again[0].L_d]
    assert first.L_d.value == pytest.approx(np.mean(both))
    assert first.seed_sd["L_d"] == pytest.approx(np.std(both, ddof=1))


def test_unequal_batches_are_compared_in_tokens(fits):
    per_step = [1e5, 1e5, 2e5, 2e5, 4e5]
    mixed = deceleration([one.curve for one in fits], tokens_per_step=per_step)
    assert mixed.axis == "tokens"
    assert mixed.law("t_d") is None
    assert "unequal-batches" in [reason.code for reason in mixed.reasons]
    expected = np.polyfit(np.log(SIZES), np.log([one.t_d * by for one, by in zip(fits, per_step, strict=True)]), 1)[0]
    assert mixed.law("t_d_tokens").exponent.value == pytest.approx(expected, abs=0.1)
    assert pytest.approx(6e9) == mixed.gains[0].T


def test_unequal_warm_ups_are_counted_at_the_full_rate(fits):
    lengths = [100, 100, 100, 1000, 1000]
    curves = [
        replace(one.curve, lr=1e-3 * np.minimum(one.curve.step / length, 1))
        for one, length in zip(fits, lengths, strict=True)
    ]
    laws = deceleration(curves)
    assert "unequal-warm-ups" in [reason.code for reason in laws.reasons]
    later = float(laws.law("t_d").value(7e8) - laws.law("t_d_progress").value(7e8))
    assert later == pytest.approx(500, abs=150)


def test_three_sizes_give_numbers_whose_intervals_are_finite_or_left_out_with_a_reason(fits):
    noisy = [fit(curve(N, noise=0.02, per_step=1e5)) for N in SIZES[:3]]
    for runs in (fits[:3], noisy):
        for gain in deceleration(runs).gains:
            for number in (gain.total, *gain.terms.values(), *gain.shares.values()):
                assert np.all(np.isfinite(number.interval)) if number.interval else number.reason


def test_too_few_sizes_are_named_once(fits):
    report = report_on(deceleration(fits[:4]))
    for shown in (scaling_deceleration.answer(report), scaling_deceleration.sentences(report)):
        assert [*shown].count("4 sizes: a law of N needs at least 5.") == 1


def test_a_run_without_a_break_is_left_out_and_named(fits):
    steps = STEPS
    straight = LossCurve("straight-4B", steps, 6 * steps**-0.05 * (1 + 0.001 * np.sin(steps)))
    laws = deceleration([*(one.curve for one in fits), straight])
    assert not laws.sizes[-1].in_laws
    assert any(reason.code == "no-break" and "straight-4B" in reason.message for reason in laws.reasons)
    assert laws.law("L_d").n_sizes == len(SIZES)
    assert repr(laws).startswith("5 sizes, 20M to 700M")


def test_losses_of_runs_are_a_table_for_the_laws(fits):
    table = losses_of(sized_runs([one.curve for one in fits]))
    assert len(set(table.run)) == len(SIZES)
    assert np.bincount(table.run_number).max() <= 21
    assert table.D.max() == pytest.approx(6e9, rel=0.1)
    assert law_fit(table, "over-training", draws=20, per_axis=3).n_runs == len(SIZES)
    with pytest.raises(InputError, match="tokens-per-step"):
        losses_of(sized_runs([replace(one.curve, tokens=None) for one in fits]))


def test_a_held_out_run_is_predicted_by_a_one_break_law_of_all_its_losses(fits):
    again = fit(curve(SIZES[-1], seed=1, per_step=1e5, name="again-700M"))
    held = hold_out(losses_of(sized_runs([*fits, again])), **FAST)
    by_break = held.protocol[3]
    early = sum(int((one.curve.step <= 0.7 * 60_000).sum()) for one in (fits[-1], again))
    assert 0.9 * early <= by_break.n <= early
    assert by_break.error.value < 0.003
    assert sum(loss.last for loss in held.losses) == by_break.error.N


def test_it_prints_tables_and_draws_itself(across):
    lines = repr(across).splitlines()
    assert len(lines) <= 12
    assert lines[0].startswith("5 sizes, 20M to 700M")
    assert across.table()["L_d"].tolist() == [row.L_d.value for row in across.sizes]
    assert len(across.plot().axes) == len(across.laws)


@pytest.mark.skipif("ZEROSUM_REFERENCE_DATA" not in os.environ, reason="no reference data")
def test_the_published_curves_show_the_published_findings():
    folder = Path(os.environ["ZEROSUM_REFERENCE_DATA"]) / "curves" / "paper"
    names = ("14M", "37M", "78M", "144M", "285M", "472M", "OLMo-1B", "OLMo-7B")
    laws = deceleration([folder / f"{name}.csv" for name in names], procedure="paper")
    L_d, t_d, r_d = (laws.law(name) for name in ("L_d", "t_d", "r_d"))
    assert L_d.exponent.interval[1] < 0 < r_d.exponent.interval[0]
    assert t_d.verdict == "not-identified"
    assert [reason.code for reason in t_d.reasons] == ["sign-not-shown"]
    (violation,) = (one for one in laws.violations if one.quantity == "L_d")
    assert (violation.smaller, violation.larger, violation.shown) == (285e6, 472e6, False)
    assert laws.correlation > 0.85
    assert abs(laws.held_out.error) < 0.05
    assert laws.held_out.held
