"""Laws of the loss: published values, exact recovery, derivatives, verdicts and predictions."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize
from simulated_runs import FAMILIES, TRUTH, chinchilla, family, measure, table

from zerosum.errors import InputError
from zerosum.scaling import fit, law_names, laws, read_table
from zerosum.scaling.fitting import fitted_law, params_of
from zerosum.scaling.laws import law
from zerosum.scaling.objective import Objective, huber
from zerosum.scaling.search import search

SMALL = {"per_axis": 3, "draws": 60}


def grid(sizes=6, lengths=5):
    """N, D and steps of a grid of runs."""
    N, S = np.meshgrid(np.geomspace(1e7, 3e9, sizes), np.geomspace(1e3, 1e5, lengths), indexing="ij")
    D = S * 1e5 * np.sqrt(N / 1e7)
    return N.ravel(), D.ravel(), S.ravel()


# Each law as its paper writes it: formula, true parameters.
AS_PUBLISHED = {
    "chinchilla": (lambda N, D, S, A, B, E, alpha, beta: E + A / N**alpha + B / D**beta, TRUTH),
    "over-training": (
        lambda N, D, S, alpha, beta, E, b: E + alpha * N**b + beta * 6 ** (b / 2) * (D / N * N) ** b,
        {"alpha": 166.2, "beta": 366.7, "E": 1.84, "b": -0.273},
    ),
    "kaplan-tokens": (
        lambda N, D, S, N_c, D_c, alpha_N, alpha_D: ((N_c / N) ** (alpha_N / alpha_D) + D_c / D) ** alpha_D,
        {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103},
    ),
    "kaplan-steps": (
        lambda N, D, S, N_c, S_c, alpha_N, alpha_S: (N_c / N) ** alpha_N + (S_c / S) ** alpha_S,
        {"N_c": 6.5e13, "S_c": 2.1e3, "alpha_N": 0.077, "alpha_S": 0.76},
    ),
}


def exact(name):
    formula, truth = AS_PUBLISHED[name]
    N, D, S = grid()
    return table(N, D, formula(N, D, S, **truth), run=np.repeat(np.arange(6), 5), step=S), truth


def test_every_law_has_its_published_form_here():
    assert set(AS_PUBLISHED) == set(law_names())


@pytest.mark.parametrize("name", sorted(AS_PUBLISHED))
def test_noiseless_losses_give_the_true_parameters(name):
    losses, truth = exact(name)
    best = search(losses, law(name), per_axis=4)
    found = best.law.published(best.theta[None], best.centre)
    assert {key: float(value[0]) for key, value in found.items()} == pytest.approx(truth, rel=1e-6)
    assert len(best.at_minimum) > len(best.ends) / 2


@pytest.mark.parametrize("in_log", [True, False])
@pytest.mark.parametrize("name", sorted(AS_PUBLISHED))
def test_derivatives_agree_with_differences(name, in_log):
    losses, _ = exact(name)
    best = search(losses, law(name), per_axis=2)
    noisy = best.objective.log_y + 0.03 * np.random.default_rng(0).standard_normal(len(losses))
    goal = Objective(best.objective.terms, noisy, best.objective.weight, 0.02, in_log)
    theta, h = best.theta, 1e-6
    _, gradient, hessian = (array[0] for array in goal.derivatives(theta[None], exact=True))
    steps = h * np.eye(len(theta))
    values = [goal.derivatives(theta[None] + sign * steps, exact=True) for sign in (1, -1)]
    np.testing.assert_allclose(gradient, (values[0][0] - values[1][0]) / (2 * h), rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(hessian, (values[0][1] - values[1][1]) / (2 * h), rtol=1e-3, atol=1e-5)


@pytest.fixture(scope="module")
def gemstones(reference_data: Path):
    return read_table(reference_data / "scaling" / "gemstones_like_chinchilla.csv")


def test_the_published_objective_is_beaten_from_every_order_of_starts(gemstones):
    for order in range(4):
        best = search(gemstones, law("chinchilla"), per_axis=4, order=order)
        assert best.value <= 2.173788e-4 * (1 + 1e-6)
        found = best.law.published(best.theta[None], best.centre)
        assert (found["alpha"][0], found["beta"][0]) == pytest.approx((0.2762, 0.4582), abs=3e-3)
        logs = [float(np.log(found[key][0])) for key in ("A", "B", "E")]
        assert logs == pytest.approx([4.857, 10.029, 0.7106], rel=3e-3)


def test_scipy_finds_no_lower_minimum(gemstones):
    N, D, y = np.log(gemstones.N), np.log(gemstones.D), np.log(gemstones.loss)

    def objective(theta):
        a, b, e, alpha, beta = theta
        fitted = np.logaddexp(np.logaddexp(a - alpha * N, b - beta * D), e)
        return float(huber(fitted - y, 1e-3).sum()) * 1e4

    starts = [(5.0, 10.0, 0.5, 0.3, 0.5), (5.0, 5.0, 0.5, 0.3, 0.3), (10.0, 10.0, 0.0, 0.5, 0.5)]
    lowest = min(minimize(objective, start, method="L-BFGS-B").fun for start in starts) / 1e4
    assert search(gemstones, law("chinchilla"), per_axis=3).value <= lowest * (1 + 1e-9)


def test_the_published_errors_of_over_trained_models(reference_data):
    path = reference_data / "scaling" / "overtrain_104.csv"
    every = read_table(path, loss="loss_c4_val", where={"dataset": "rpj"})
    small = ("d=96_l=8_h=4-1.0", "d=512_l=8_h=4-1.0", "d=576_l=24_h=8-1.0", "d=1024_l=24_h=8-1.0", "d=96_l=8_h=4-16.0")
    rows = [k for k, run in enumerate(every.run) if run.removeprefix("rpj-") in small]
    fitted = fit(every.rows(rows), "over-training", draws=60)
    assert fitted.params["b"].value == pytest.approx(-0.2729, abs=5e-5)
    assert fitted.params["E"].value == pytest.approx(1.8366, abs=5e-5)
    for run, published in (("rpj-open_lm_1b-32.0", 0.7103), ("rpj-open_lm_7b-1.0", 0.7320)):
        k = every.run.index(run)
        predicted = fitted.predict(float(every.N[k]), float(every.D[k])).loss.value
        assert 100 * abs(predicted / every.loss[k] - 1) == pytest.approx(published, abs=5e-5)
    assert fitted.verdict == "not-identified"  # 4 sizes


@pytest.fixture(scope="module")
def good():
    return fit(family(np.random.default_rng(0), checkpoints=20), **SMALL)


def test_a_family_of_twelve_sizes_is_identified(good):
    assert (good.verdict, good.n, good.n_runs, good.n_sizes) == ("identified", 240, 12, 12)
    assert 12 <= good.n_effective < 120  # checkpoints of a run are not independent
    for name, estimate in good.params.items():
        assert estimate.interval[0] < TRUTH[name] < estimate.interval[1]
        assert estimate.method == "bootstrap over 12 runs"
    json.dumps(good.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("4 sizes", "few-sizes"),
        ("sizes within a factor of 2", "flat-valley"),
        ("one D / N", "flat-valley"),
        ("no floor", "E-at-zero"),
    ],
)
def test_what_the_data_do_not_determine_is_said(name, code):
    verdict, codes, _ = measure(name, 1, **SMALL)
    assert verdict == "not-identified"
    assert code in codes


def test_predictions_have_the_noise_of_a_run_and_say_how_far_they_are(good):
    near = good.predict(1e9, 2e10)
    assert near.reasons == ()
    assert near.loss.interval[0] < chinchilla(1e9, 2e10) < near.loss.interval[1]
    assert near.loss.interval[1] - near.loss.interval[0] > 3 * good.noise.std() * near.loss.value
    far = good.predict(1e11, 2e12)
    assert {reason.code for reason in far.reasons} == {"far-extrapolation"}
    assert far.loss.interval[1] - far.loss.interval[0] > near.loss.interval[1] - near.loss.interval[0]
    with pytest.raises(InputError, match="D is None"):
        good.predict(1e9)


def test_the_best_size_for_a_budget_is_the_closed_form(good):
    best = good.optimal(1e21)
    p = {name: estimate.value for name, estimate in good.params.items()}
    both = p["alpha"] + p["beta"]
    G = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / both)
    assert best.n_params.value == pytest.approx(G * (1e21 / 6) ** (p["beta"] / both), rel=1e-6)
    assert best.tokens.value * best.n_params.value * 6 == pytest.approx(1e21)
    assert good.frontier(np.array([1e20, 1e21]))[1] == pytest.approx(best.loss.value, rel=1e-12)
    assert best.n_params.interval[0] < best.n_params.value < best.n_params.interval[1]
    assert best.loss.value == pytest.approx(good.predict(best.n_params.value, best.tokens.value).loss.value)
    with pytest.raises(InputError, match="budget"):
        good.optimal(-1.0)


def test_intervals_are_no_narrower_than_the_losses_own_errors_where_runs_are_few():
    def widths(sizes, error):
        losses = family(np.random.default_rng(3), sizes=sizes, checkpoints=4, noise=(0.0, 0.0, 1e-4))
        ends = {"loss_low": losses.loss * math.exp(-1.96 * error), "loss_high": losses.loss * math.exp(1.96 * error)}
        fitted = fitted_law(replace(losses, **ends), law("chinchilla"), **SMALL)
        low, high = fitted.predict(1e9, 2e10).loss.interval
        return np.array([high / low - 1, *(np.ptp(params_of(fitted)[name].interval) for name in ("alpha", "beta"))])

    narrow, wide = widths(6, 1e-6), widths(6, 5e-3)
    assert (wide > 5 * narrow).all()
    assert wide[0] > 2 * 1.96 * 5e-3 * 0.9
    np.testing.assert_array_equal(widths(9, 5e-3), widths(9, 1e-6))


def test_a_point_that_moves_an_exponent_is_named():
    losses = family(np.random.default_rng(3), sizes=6, checkpoints=4, noise=(0.0, 0.0, 0.001))
    values = losses.loss.copy()
    values[-1] *= 1.05
    fitted = fit(table(losses.N, losses.D, values, losses.run_number), delta=1.0, **SMALL)
    moved = {one.parameter: one.row for one in fitted.influences}
    assert 23 in moved.values()
    assert "few-runs" in {reason.code for reason in fitted.reasons}


def test_what_cannot_be_fitted_is_refused_in_one_line():
    two = family(np.random.default_rng(0), sizes=2)
    for call, part in (
        (lambda: fit(two), "only 2 sizes"),
        (lambda: fit(family(np.random.default_rng(0), sizes=4, checkpoints=1)), "4 rows for the 5 parameters"),
        (lambda: fit(FAMILIES["12 sizes"](np.random.default_rng(0)), "kaplan-steps"), "row 1: has no step"),
        (lambda: fit(two, "chinchila"), "Did you mean chinchilla"),
        (lambda: fit(two, delta=0.0), "delta"),
        (lambda: fit(exact("kaplan-steps")[0], "kaplan-steps", **SMALL).optimal(1e20), "no D"),
    ):
        with pytest.raises(InputError) as error:
            call()
        assert part in str(error.value)
        assert "\n" not in str(error.value)


def test_a_law_is_one_file(tmp_path, monkeypatch):
    (tmp_path / "no_floor.py").write_text(
        "from dataclasses import replace\nfrom zerosum.scaling.laws import chinchilla\n"
        "LAW = replace(chinchilla.LAW, name='no-floor')\n"
    )
    monkeypatch.setattr(laws, "__path__", [*laws.__path__, str(tmp_path)])
    assert "no-floor" in law_names()
    assert fit(family(np.random.default_rng(1), checkpoints=4), "no-floor", **SMALL).law == "no-floor"


def test_huber_is_the_square_inside_and_a_line_outside():
    assert huber(np.array([-3.0]), 2.0)[0] == 2.0 * (3.0 - 1.0)
    assert math.isclose(huber(np.array([1e-4]), 1e-3)[0], 5e-9)
