"""The answer of a bench: verdicts and their codes, pairs, families of tests, tuning, costs, sizes, JSON."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from bench_results import SEEDS, made_up

from zerosum.bench import verdicts
from zerosum.bench.answer import answer
from zerosum.bench.results import IdentityCheck, RunResult
from zerosum.comparison import paired_differences
from zerosum.errors import InputError

NATS = "nats per token"


@pytest.fixture(scope="module")
def result():
    return made_up()


@pytest.fixture(scope="module")
def bench(result):
    return answer([result, made_up(100_000, 64)])


def arms_of(result):
    return {arm.name: arm for arm in answer([result]).sizes[0].arms}


def changed(result, name, **values):
    return replace(result, arms=tuple(replace(arm, **values) if arm.name == name else arm for arm in result.arms))


def codes(arm):
    return {reason.code for reason in arm.reasons}


def test_every_verdict(bench):
    assert {arm.name: arm.verdict for arm in bench.sizes[0].arms} == {
        "muon": "better",
        "cautious": "no-difference",
        "reweighting": "cannot-tell",
        "lion": "worse",
        "rho1": "undertuned",
        "ademamix": "diverges",
        "placebo": "no-difference",
        "half-rate": "worse",
        "bigram": None,
    }
    assert not bench.sizes[0].reasons


def test_cannot_tell_says_how_many_seeds_are_needed(bench):
    arm = next(arm for arm in bench.sizes[0].arms if arm.name == "reweighting")
    assert codes(arm) >= {"more-seeds"}
    assert arm.needed > len(SEEDS)
    assert f"needs n = {arm.needed}" in next(r.message for r in arm.reasons if r.code == "more-seeds")


def test_differences_are_those_of_the_pairs(result, bench):
    muon = bench.sizes[0].arms[0]
    d = [arm.loss - base.loss for arm, base in zip(result.arms[0].runs, result.baseline.runs, strict=True)]
    assert muon.differences["loss"].mean.value == pytest.approx(np.mean(d))
    assert muon.differences["t_d"].n == muon.differences["t_d"].n_censored + 6 or muon.differences["t_d"].n == 8


def test_the_terms_add_up_to_the_difference_of_the_lines(result, bench):
    arm, base = result.arms[0].runs[0], result.baseline.runs[0]
    ends = [run.L_d * (result.horizon_steps / run.t_d) ** -run.r_d for run in (base, arm)]
    parts = [bench.sizes[0].arms[0].differences[f"loss_by_{name}"].differences[0] for name in ("L_d", "t_d", "r_d")]
    assert sum(parts) == pytest.approx(ends[1] - ends[0])
    between = (ends[1] - ends[0]) / math.log(ends[1] / ends[0])
    assert parts[0] == pytest.approx(between * math.log(arm.L_d / base.L_d))


def test_competing_arms_are_tested_together_and_null_arms_alone(result, bench):
    arms = {arm.name: arm for arm in bench.sizes[0].arms}
    base = {run.seed: run.loss for run in result.baseline.runs}
    losses = {arm.name: {run.seed: run.loss for run in arm.runs} for arm in result.arms}
    alone = paired_differences({"half-rate": (base, losses["half-rate"])})["half-rate"].p
    together = paired_differences({arm.name: (base, losses[arm.name]) for arm in result.arms if arm.kind == "arm"})
    assert arms["half-rate"].differences["loss"].p == alone
    assert arms["muon"].differences["loss"].p == together["muon"].p


def test_a_broken_pair_decides(result):
    runs = result.arms[0].runs
    broken = changed(result, "muon", runs=(replace(runs[0], weights="other"), *runs[1:]))
    muon = arms_of(broken)["muon"]
    assert (muon.verdict, muon.differences["loss"].n, muon.differences["loss"].n_censored) == ("cannot-tell", 7, 1)
    assert "unpaired" in codes(muon)
    assert "unpaired" not in codes(arms_of(result)["placebo"])  # its batches differ on purpose


@pytest.mark.parametrize(
    ("values", "verdict", "code"),
    [
        ({"identity": IdentityCheck("no-op", 0.1, 0.0, False, "adamw")}, "cannot-tell", "identity-failed"),
        ({"at_edge": True}, "undertuned", "edge"),
    ],
)
def test_what_was_wrong_with_an_arm_decides(result, values, verdict, code):
    muon = arms_of(changed(result, "muon", **values))["muon"]
    assert (muon.verdict, code in codes(muon)) == (verdict, True)


def test_a_seed_that_is_not_there_yet_waits(result):
    muon = arms_of(changed(result, "muon", runs=result.arms[0].runs[:-1]))["muon"]
    assert (muon.verdict, muon.differences["loss"].n) == ("cannot-tell", 7)
    assert "seeds 17" in next(reason.message for reason in muon.reasons if reason.code == "incomplete")


def test_an_untuned_baseline_leaves_every_arm_undertuned(result):
    arms = arms_of(replace(result, baseline=replace(result.baseline, at_edge=True)))
    assert arms["muon"].verdict == "undertuned"
    assert "baseline-edge" in codes(arms["muon"])
    assert arms["half-rate"].verdict == "worse"


def test_a_diverged_baseline(result):
    runs = result.baseline.runs
    baseline = replace(result.baseline, runs=(replace(runs[0], loss=math.inf), *runs[1:]))
    muon = arms_of(replace(result, baseline=baseline))["muon"]
    assert (muon.verdict, "baseline-diverged" in codes(muon)) == ("cannot-tell", True)


def test_a_trunk_that_diverged_has_no_hashes_and_is_never_dropped(result):
    """Read from a run that diverged: nothing of it but an infinite loss is known."""
    lost = RunResult(SEEDS[0], math.inf, verdict="diverged")
    for runs in ((lost, *result.arms[0].runs[1:]), tuple(replace(lost, seed=seed) for seed in SEEDS)):
        muon = arms_of(changed(result, "muon", runs=runs))["muon"]
        assert (muon.verdict, "unpaired" in codes(muon)) == ("diverges", False)
        assert muon.differences["loss"].n_diverged == sum(math.isinf(run.loss) for run in runs)
        assert not muon.speed_up.multiple.known
    assert math.isnan(muon.flops_ratio)
    plain = arms_of(changed(result, "muon", runs=(lost, *result.arms[0].runs[1:])))["muon"]
    assert plain.cost["tokens"] == result.arms[0].runs[1].tokens
    baseline = replace(result.baseline, runs=(lost, *result.baseline.runs[1:]))
    arms = arms_of(replace(result, baseline=baseline))
    assert {"baseline-diverged"} == {reason.code for reason in arms["muon"].reasons if reason.level == "blocking"}


@pytest.mark.parametrize("where", ["arm", "baseline", "both"])
def test_a_verdict_waits_for_every_seed_wherever_it_is_missing(result, where):
    fewer = result
    if where != "arm":
        fewer = replace(fewer, baseline=replace(result.baseline, runs=result.baseline.runs[:6]))
    if where != "baseline":
        fewer = replace(fewer, arms=tuple(replace(arm, runs=arm.runs[:6]) for arm in result.arms))
    size = answer([fewer]).sizes[0]
    for arm in size.arms:
        if arm.verdict not in (None, "undertuned", "diverges"):
            assert (arm.verdict, "incomplete" in codes(arm)) == ("cannot-tell", True)
    assert not size.reasons


def test_over_sizes_a_diverged_arm_has_no_gain(result):
    lost = tuple(replace(run, loss=math.inf) if run.seed in SEEDS[:4] else run for run in result.arms[0].runs)
    gain = answer([result, changed(made_up(100_000, 64), "muon", runs=lost)]).over_sizes[1].gain
    assert (gain.known, gain.reason) == (False, "4 of 8 runs diverged")


def test_more_seeds_than_there_are_named():
    """Twenty seeds whose difference is nearly half the margin: more than the number that a plan names."""
    noise = np.random.default_rng(0).standard_normal(20)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    few = made_up(seeds=tuple(range(20)))
    sd, base = few.margin / 0.8, {run.seed: run.loss for run in few.baseline.runs}
    runs = tuple(replace(run, loss=base[run.seed] + sd * (0.45 + noise[run.seed])) for run in few.arms[0].runs)
    muon = arms_of(replace(few, arms=(replace(few.arms[0], runs=runs),)))["muon"]
    assert (muon.verdict, muon.needed > 20) == ("cannot-tell", True)
    assert f"needs n = {muon.needed}" in next(reason.message for reason in muon.reasons if reason.code == "more-seeds")


def test_null_arms_judge_the_bench(result):
    lion = next(arm for arm in result.arms if arm.name == "lion")
    cautious = next(arm for arm in result.arms if arm.name == "cautious")
    bad = changed(changed(result, "placebo", runs=lion.runs), "half-rate", runs=cautious.runs)
    assert {reason.code for reason in answer([bad]).sizes[0].reasons} == {"placebo-differs", "half-rate-not-worse"}


def test_null_arms_that_are_not_finished_say_nothing_of_the_bench(result):
    waiting = changed(changed(result, "placebo", runs=()), "half-rate", runs=result.arms[0].runs[:-1])
    assert answer([waiting]).sizes[0].reasons == ()


def test_a_bench_without_its_null_arms_says_so(result):
    alone = replace(result, arms=tuple(arm for arm in result.arms if arm.kind == "arm"))
    assert [reason.code for reason in answer([alone]).sizes[0].reasons] == ["no-placebo", "no-half-rate"]


def test_what_differs_beside_the_method_is_said(result):
    notes = tuple(verdicts.NOTES)
    muon = arms_of(changed(result, "muon", notes=notes))["muon"]
    assert muon.verdict == "better"
    assert codes(muon) >= set(notes)


def test_few_seeds_say_so():
    arms = arms_of(made_up(seeds=SEEDS[:3]))
    assert arms["muon"].verdict == "cannot-tell"
    assert "few-seeds" in codes(arms["muon"])


def test_movement_is_compared_over_the_loss_that_both_reach(bench):
    muon = bench.sizes[0].arms[0]
    main = [(one.weights, one.L_a, one.L_b) for one in muon.movement if one.main]
    assert main == [("last:64", 1.9, 1.7), ("raw", 1.9, 1.7)]
    assert [(one.L_a, one.L_b) for one in muon.movement if not one.main][:3] == [(2.6, 2.2), (2.2, 1.9), (1.9, 1.7)]
    assert muon.differences["M_equal_loss"] == muon.movement[0].M
    assert muon.differences["D_equal_loss_raw"].mean.value < 0


def test_an_arm_that_reaches_less_is_compared_over_what_it_reaches(result):
    short = result.arms[0].runs[0]
    less = {name: replace(one, parts=one.parts[:2], wide=one.wide[:2]) for name, one in short.movement.items()}
    arms = arms_of(changed(result, "muon", runs=(replace(short, movement=less), *result.arms[0].runs[1:])))
    assert [(one.L_a, one.L_b) for one in arms["muon"].movement if one.main] == [(2.2, 1.9)] * 2
    assert [(one.L_a, one.L_b) for one in arms["lion"].movement if one.main] == [(1.9, 1.7)] * 2


def test_tuning_and_cost(bench):
    size = bench.sizes[0]
    assert size.baseline.tuning.best_lr == 2e-3
    assert size.baseline.tuning.best_between == pytest.approx(2e-3 * 1.15)
    assert size.baseline.tuning.sensitivity.value > 0
    assert not next(arm for arm in size.arms if arm.name == "rho1").tuning.sensitivity.known
    assert size.arms[0].cost["seconds"] == pytest.approx(131 * 0.8)
    assert not size.arms[-2].tuning.rates


def test_speed_up(bench):
    muon = bench.sizes[0].arms[0].speed_up
    assert muon.multiple.value == pytest.approx(math.exp(0.012 / 0.035), rel=0.1)


def test_speed_up_at_equal_flops(result):
    muon = result.arms[0]
    dear = replace(muon, runs=tuple(replace(run, flops=2.5 * run.flops) for run in muon.runs))
    size = answer([replace(result, arms=(dear, *result.arms[1:]))]).sizes[0]
    found, plain = size.arms[0], answer([result]).sizes[0].arms[0]
    assert found.flops_ratio == pytest.approx(2.5 * plain.flops_ratio)
    assert found.speed_up_flops.multiple.value == pytest.approx(found.speed_up.multiple.value / found.flops_ratio)
    assert found.speed_up == plain.speed_up
    assert found.to_json()["speedup_flops"]["value"] == pytest.approx(found.speed_up_flops.multiple.value)
    waiting = replace(muon, runs=())
    nothing = answer([replace(result, arms=(waiting, *result.arms[1:]))]).sizes[0].arms[0].to_json()
    assert nothing["flops_ratio"] is None
    assert nothing["speedup_flops"]["reason"] == "the costs are not known"


def test_sizes(bench):
    assert [size.result.size.name for size in bench.sizes] == ["25k", "100k"]
    assert [one.name for one in bench.over_sizes][:2] == ["adamw", "muon"]
    assert bench.over_sizes[0].gain is None
    assert bench.over_sizes[1].gain.value == pytest.approx(-0.012 * 0.3, rel=0.4)
    assert bench.over_sizes[0].rate.value == pytest.approx(-0.3 * math.log(4) / math.log(2), rel=0.05)


def test_json(bench):
    document = json.loads(json.dumps(bench.to_json(), allow_nan=False))
    arm = document["arms"][0]
    assert {"name", "kind", "settings", "identity", "rates", "best_lr", "rate_sensitivity", "n"} <= arm.keys()
    assert {"differences", "speedup", "cost", "verdict", "reasons"} <= arm.keys()
    assert {"value", "interval", "p", "n", "censored"} <= arm["differences"]["loss"].keys()
    assert {"lr", "loss", "diverged"} <= arm["rates"][0].keys()
    assert set(arm["cost"]) == {"tokens", "flops", "seconds", "peak_memory"}
    assert [size["size"]["name"] for size in document["sizes"]] == ["25k", "100k"]
    assert document["size"]["name"] == "100k"


def test_bad_input(result):
    with pytest.raises(InputError, match="no results"):
        answer([])
    with pytest.raises(InputError, match="primary: loss"):
        answer([replace(result, primary="L_d")])
