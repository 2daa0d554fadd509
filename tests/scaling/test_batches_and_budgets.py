"""Best sizes of budgets, and the critical batch: exact recovery, intervals, and what is refused."""

import math

import numpy as np
import pytest
from simulated_batches import batches, budgets, measure_batches, measure_budgets
from simulated_runs import chinchilla

from zerosum.errors import InputError
from zerosum.scaling import critical_batch, isoflop, read_table


def test_parabolas_give_their_minima_and_the_power():
    found = isoflop(budgets())
    assert found.a.value == pytest.approx(0.49, rel=1e-6)
    assert found.b.value == pytest.approx(0.51, rel=1e-6)
    for budget in found.budgets:
        assert budget.curvature == pytest.approx(0.1, rel=1e-6)
        assert budget.n_params.value == pytest.approx(0.09 * budget.flops**0.49, rel=1e-6)
        assert budget.tokens.value * budget.n_params.value * 6 == pytest.approx(budget.flops)
    assert found.optimal(1e24).n_params.value == pytest.approx(0.09 * 1e24**0.49, rel=1e-5)


def test_the_power_has_an_interval_that_covers():
    missed = [not measure_budgets(seed)["a"] for seed in range(60)]
    assert sum(missed) <= 8  # 3 expected of 60; more than 8 once in 200 times
    exponent = 0.28 / (0.34 + 0.28)
    k = (0.34 * 406.4 / (0.28 * 410.7)) ** (1 / 0.62) / 6**exponent
    assert isoflop(budgets(exponent, k, law=chinchilla)).a.value == pytest.approx(exponent, abs=0.01)


def test_a_budget_without_a_minimum_is_left_out_with_the_reason():
    rows = budgets()
    rows[:7] = [row | {"loss": 4 - 0.1 * k} for k, row in enumerate(rows[:7])]
    found = isoflop(rows)
    assert found.budgets[0].n_params.reason == "no minimum within the sizes trained"
    assert found.a.N == 4
    with pytest.raises(InputError, match="2 budgets C = 6 N D, 2 of them"):
        isoflop(budgets(flops=(1e18, 1e19)))


def test_the_critical_batch_is_recovered():
    found = critical_batch(batches(), 2.5)
    assert (found.B_crit.value, found.S_min.value) == pytest.approx((2000.0, 500.0), rel=1e-6)
    assert found.E_min.value == pytest.approx(1e6, rel=1e-6)
    assert found.verdict == "identified"
    for B, S in found.steps.items():
        assert pytest.approx(1.0, rel=1e-6) == (S / 500 - 1) * (B * S / 1e6 - 1)


def test_its_interval_covers_and_far_batches_are_not_identified():
    measured = [measure_batches(seed) for seed in range(25)]
    covers = [covered["B_crit"] for identified, covered in measured if identified]
    assert len(covers) >= 20
    assert covers.count(False) <= 4
    far = critical_batch(batches(B_crit=5.0, noise=0.05), 2.5)
    assert (far.verdict, far.B_crit.interval) == ("not-identified", None)


def rated(seeds=2, seed=0):
    """Runs of `batches` at three rates and several seeds. Steps are off by a factor of the rate, and of the seed."""
    rng, rows, steps = np.random.default_rng(seed), [], {}
    for B in (256, 512, 1024, 2048, 4096):
        for rate in (0.001, 0.002, 0.004):
            slower = float(rng.uniform(1, 2))
            for k in range(seeds):
                own = slower * float(rng.uniform(0.9, 1.1))
                name = f"b{B} {rate} {k}"
                S = 500 * (1 + 2000 / B)
                steps.setdefault(B, {}).setdefault(rate, []).append(math.log(own * S))
                rows += [
                    r | {"run": name, "lr": rate, "step": own * r["step"], "D": own * r["D"]}
                    for r in batches(sizes=[B])
                ]
    return rows, steps


@pytest.mark.parametrize("seed", range(4))
def test_each_batch_size_has_the_rate_with_the_fewest_steps(seed):
    rows, logs = rated(seed=seed)
    found = critical_batch(rows, 2.5)
    best = {B: min(rates, key=lambda rate: np.mean(rates[rate])) for B, rates in logs.items()}
    assert found.rates == best
    assert found.steps == pytest.approx({B: math.exp(np.mean(logs[B][rate])) for B, rate in best.items()})
    alone = critical_batch([row for row in rows if best[row["batch"]] == row["lr"]], 2.5)
    assert alone.B_crit.value == pytest.approx(found.B_crit.value)
    at_end = {f"{B}" for B, rate in best.items() if rate != 0.002}
    (note,) = (reason.message for reason in found.reasons if reason.code == "rate-at-end")
    assert set(note.partition("at batch ")[2].split(", ")) == at_end


def test_a_rate_that_never_reaches_the_loss_is_left_out():
    rows, logs = rated()
    best = min(logs[512], key=lambda rate: np.mean(logs[512][rate]))
    stuck = [
        row | {"loss": max(row["loss"], 2.51)}
        if (row["batch"], row["lr"]) == (512, best) and "0" in row["run"][-1]
        else row
        for row in rows
    ]
    found = critical_batch(stuck, 2.5)
    assert found.rates[512] != best
    (note,) = (reason.message for reason in found.reasons if reason.code == "rates-left-out")
    assert f"{best:g} (batch 512)" in note
    none = [row | {"loss": max(row["loss"], 2.51)} if row["batch"] == 512 else row for row in rows]
    with pytest.raises(InputError, match=r"run 'b512.*never reaches the loss 2.5.*every run crosses 2.51 to 2.87"):
        critical_batch(none, 2.5)


def test_seeds_of_different_batches_are_not_averaged():
    rows = [{"run": f"r{B}", "N": 1e6, "D": 1e8, "batch": B, "step": 1e8 / B, "loss": 3 - B / 1e5} for B in (256, 512)]
    assert len(read_table(rows)) == 2


def test_losses_along_runs_have_no_budgets():
    along = [
        {"N": N, "D": D, "loss": chinchilla(N, D)}
        for N in np.geomspace(1e7, 1e9, 6)
        for D in np.geomspace(1e9, 1e10, 30)
    ]
    with pytest.raises(InputError, match="is no gap"):
        isoflop(along)


def test_best_sizes_of_budgets_say_how_far_they_are():
    best = isoflop(budgets()).optimal(1e24)
    assert best.n_params.value * best.tokens.value * 6 == pytest.approx(1e24)
    assert [reason.code for reason in best.reasons] == ["far-extrapolation"]
    assert not isoflop(budgets()).optimal(1e20).reasons
    with pytest.raises(InputError, match="not a number of FLOPs"):
        isoflop(budgets()).optimal(-1.0)


def test_batches_that_cannot_be_used_are_refused():
    for rows, target, part in (
        (batches(), 1.0, "never reaches"),
        (batches(), 9.0, "begins below"),
        (batches(sizes=(256, 512)), 2.5, "2 batch sizes"),
        ([{k: v for k, v in row.items() if k != "batch"} for row in batches()], 2.5, "row 1: has no batch"),
        ([row | {"N": 1e6 * (1 + (row["batch"] == 512))} for row in batches()], 2.5, "row 6: N is"),
        ([row | {"batch": row["batch"] / 64} for row in batches()], 2.5, "row 1: batch is 4, but D / step is 256"),
        (batches(), None, "needs a target (every run crosses 2.24 to 2.872)"),
        (batches(), math.nan, "needs a target"),
    ):
        with pytest.raises(InputError) as error:
            critical_batch(rows, target)
        assert part in str(error.value)


def test_both_records_print_an_answer_and_have_a_table():
    best = isoflop(budgets())
    assert best.table()["n"].tolist() == [one.n for one in best.budgets]
    assert best.table()["n_params"].tolist() == [one.n_params.value for one in best.budgets]
    assert "best size grows" in repr(best)
    batch = critical_batch(batches(), 2.5)
    assert batch.table()["value"].tolist() == [batch.B_crit.value, batch.S_min.value, batch.E_min.value]
    assert "Critical batch at a loss of 2.5" in repr(batch)
    assert [ax.get_ylabel() for ax in best.plot().axes] == ["loss (nats per token)", "best N"]
    (ax,) = batch.plot().axes
    x, y = ax.lines[0].get_data()
    np.testing.assert_allclose((y / 500 - 1) * (x * y / 1e6 - 1), 1.0, rtol=1e-5)
    assert max(len(repr(best).splitlines()), len(repr(batch).splitlines())) <= 12
