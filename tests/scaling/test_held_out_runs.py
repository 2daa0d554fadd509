"""A run held out: what is fitted, what is predicted, and the errors of the protocol against brute force."""

import numpy as np
import pytest
from simulated_runs import chinchilla, family, table

from zerosum.errors import InputError
from zerosum.scaling import hold_out, read_table
from zerosum.scaling.laws import law
from zerosum.scaling.search import search

FAST = {"draws": 60}


@pytest.fixture(scope="module")
def noisy():
    return family(np.random.default_rng(5), sizes=8, checkpoints=6)


@pytest.fixture(scope="module")
def largest(noisy):
    return hold_out(noisy, **FAST)


def by_hand(losses, used):
    """Mean absolute relative error on the last 30 % of the largest run by the law of the rows used."""
    best = search(losses.rows(used), law("chinchilla"), per_axis=3)
    fitted = {key: float(value[0]) for key, value in best.law.published(best.theta[None], best.centre).items()}
    target = losses.rows(losses.N.max() == losses.N)
    late = target.rows(target.D / target.D.max() > 0.7)
    errors = [abs(chinchilla(N, D, **fitted) / loss - 1) for N, D, loss in zip(late.N, late.D, late.loss, strict=True)]
    return float(np.mean(errors))


def test_the_errors_of_the_protocol_are_those_of_refits_by_hand(noisy, largest):
    N, number = noisy.N, noisy.run_number
    others = N.max() > N
    finals = [max(np.flatnonzero(number == k), key=lambda row: noisy.D[row]) for k in range(7)]
    nearest = others & (np.sort(np.unique(N))[-4] <= N)
    for row, used in zip(largest.protocol, (others, finals, nearest), strict=False):
        assert row.error.value == pytest.approx(by_hand(noisy, used), rel=1e-6), row.used
        assert row.n == len(noisy.rows(used))
    assert [row.used for row in largest.protocol] == ["all-checkpoints", "finals-only", "nearest-3", "one-break"]
    assert "no column step" in largest.protocol[3].error.reason


def test_every_loss_of_the_largest_run_is_predicted_without_it(noisy, largest):
    rows = noisy.N.max() == noisy.N
    assert largest.runs == ("r7",)
    assert [loss.loss for loss in largest.losses] == noisy.loss[rows].tolist()
    changed = table(noisy.N, noisy.D, np.where(rows, 2 * noisy.loss, noisy.loss), noisy.run_number)
    assert [loss.predicted for loss in hold_out(changed, **FAST).losses] == [loss.predicted for loss in largest.losses]
    for loss in largest.losses:
        low, high = loss.predicted.interval
        assert low < loss.predicted.value < high
        assert loss.error == loss.predicted.value / loss.loss - 1
    assert any(loss.last for loss in largest.losses)
    assert not all(loss.last for loss in largest.losses)


def test_any_run_can_be_held_out_and_others_are_refused(noisy):
    assert {loss.n_params for loss in hold_out(noisy, run="r2", **FAST).losses} == {noisy.N[noisy.run_number == 2][0]}
    with pytest.raises(InputError, match="Did you mean 'r7'"):
        hold_out(noisy, run="r77")


def test_what_cannot_be_predicted_has_a_reason():
    held = hold_out(family(np.random.default_rng(0), sizes=3, checkpoints=3), **FAST)
    assert (held.losses, held.reasons) == ((), ())
    assert "only 2 sizes" in held.protocol[0].error.reason
    assert "only 2 sizes" in repr(held)
    assert "No error by one-break law of this run: no column step" in repr(held)
    assert len(held.plot().axes) == 1


def test_a_one_break_law_of_the_early_part_is_compared():
    rows = [3, 3, 3, 90]
    N = np.repeat(np.geomspace(1e7, 1e9, 4), rows)
    step = np.concatenate([np.geomspace(200, 100_000, n) for n in rows])
    loss = 20.0 * step**-0.1 * (1 + (step / 3_000) ** 2) ** 0.04 * (N / 1e7) ** -0.03
    held = hold_out(table(N, 1e5 * step, loss, run=np.repeat(np.arange(4), rows), step=step), **FAST)
    by_break, last = held.protocol[3], [loss.last for loss in held.losses]
    assert (by_break.n, by_break.error.N) == (last.count(False), last.count(True))
    assert by_break.error.value < 1e-3


def test_each_of_several_runs_is_predicted_by_its_own_early_part():
    rows = [3, 3, 3, 90, 90]
    N = np.repeat([1e7, 3e7, 1e8, 1e9, 1e9], rows)
    run = np.repeat(np.arange(5), rows)
    step = np.concatenate([np.geomspace(200, 100_000, n) for n in rows])
    loss = 20.0 * step**-0.1 * (1 + (step / 3_000) ** 2) ** 0.04 * (N / 1e7) ** -0.03
    held = hold_out(
        table(N, 1e5 * step, loss * np.where(run == 4, 1.2, 1.0) * (1 + 1e-9 * run), run=run, step=step), **FAST
    )
    assert held.runs == ("r3", "r4")
    assert held.protocol[3].error.value < 1e-3
    assert sum(loss.last for loss in held.losses) == held.protocol[3].error.N


def test_far_predictions_are_named():
    N = np.geomspace(1e7, 1e9, 6)
    N[-1] = 1e11
    held = hold_out(table(N, 20 * N, chinchilla(N, 20 * N)), **FAST)
    assert {reason.code for reason in held.reasons} == {"far-extrapolation"}


def test_losses_before_the_cut_are_left_out(noisy):
    rows = [
        {"run": run, "N": N, "D": D, "loss": loss}
        for run, N, D, loss in zip(noisy.run, noisy.N, noisy.D, noisy.loss, strict=True)
    ]
    cut = float(np.median(noisy.D))
    late = read_table(rows, cut=cut)
    assert late.D.tolist() == [D for D in noisy.D.tolist() if cut <= D]
    assert [note.code for note in late.notes][-1] == "cut"
    for wrong, part in ((-1.0, "not a number of tokens"), (1e30, "no row has")):
        with pytest.raises(InputError, match=part):
            read_table(rows, cut=wrong)
    with pytest.raises(InputError, match="is read already"):
        read_table(late, cut=cut)
