"""Pairs of checkpoints of a store, against plain loops over its losses."""

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from small_store import Words, small_store

from zerosum import InputError
from zerosum.interference import destructive_interference, measure, sign_agreement, sums_by_group
from zerosum.interference.labelled import (
    TokenText,
    change_between,
    grouping_names,
    measure_pair,
    measure_store,
    same_tokens,
    units_of,
)


def each_change(store, start, end):
    """(sequence, position, change) of every token, one at a time."""
    steps = store["step"].values.tolist()
    a, b = (store["loss"].values[steps.index(step)] for step in (start, end))
    for s in range(a.shape[0]):
        for t in range(a.shape[1]):
            if not (math.isnan(a[s, t]) or math.isnan(b[s, t])):
                yield s, t, float(b[s, t]) - float(a[s, t])


def by_hand(x):
    net, mass = math.fsum(x), math.fsum(map(abs, x))
    return {
        "R": net / mass,
        "D": 1 - abs(net) / mass,
        "M": mass / len(x),
        "delta_L": net / len(x),
        "harmful_share": math.fsum(one for one in x if one > 0) / mass,
    }


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3, 0.9]))
def test_a_pair_is_what_loops_give(seed, missing):
    store = small_store(seed=seed, missing=missing)
    store["loss"][3, 0, 0] = np.nan  # lost at one step only
    found = measure_pair(change_between(store, 2, 4), units_of(store))
    x = [change for _, _, change in each_change(store, 2, 4)]
    assert len(x) == found.measured.N
    assert found.measured.left_out == store["token"].size - len(x)
    assert found.one_sided == int(np.isfinite(store["loss"].values[2, 0, 0]))
    for name, value in by_hand(x).items():
        assert getattr(found.measured, name) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("by", grouping_names())
def test_every_grouping_splits_exactly(by):
    store = small_store()
    change = change_between(store, 4, 8)
    found = measure_pair(change, units_of(store), by, TokenText(Words()))
    whole, parts = found.measured, found.groups.split
    assert len({group.name for group in parts.groups}) == len(parts.groups) > 1
    assert sum(group.N for group in parts.groups) == whole.N
    assert sum(group.w for group in parts.groups) == pytest.approx(1, abs=1e-12)
    assert sum(group.net_share for group in parts.groups) == pytest.approx(1, abs=1e-9)
    assert sum(group.w * group.R for group in parts.groups) == pytest.approx(whole.R, abs=1e-12)
    assert parts.C_between * parts.C_within == pytest.approx(1 - whole.D, abs=1e-12)
    for group, measured in zip(parts.groups, found.groups.measured, strict=True):
        assert (measured.R, measured.D, measured.M, measured.N) == (group.R, group.D, group.M, group.N)
    assert found.groups.note


def test_documents_are_units_where_there_are_twenty_of_them():
    store = small_store()
    assert units_of(store).name == "document"
    assert units_of(store, "sequence").name == "sequence"
    few = store.assign_coords(document=("sequence", np.arange(24) % 19))
    assert units_of(few).name == "sequence"
    assert units_of(few, "document").name == "document"
    assert units_of(few.drop_vars("document")).name == "sequence"
    with pytest.raises(InputError, match=r"does not say which documents.*--units sequence"):
        units_of(few.drop_vars("document"), "document")


def test_units_decide_the_interval_and_the_second_null():
    store = small_store()
    change = change_between(store, 4, 8)
    found = {name: measure_pair(change, units_of(store, name)).measured for name in ("document", "sequence")}
    assert found["sequence"].interval.n_units == 24
    assert found["document"].interval.n_units == len(np.unique(change.of(store["document"].values)))
    sequences = measure(np.where(change.kept, change.x, np.nan))
    assert found["sequence"].interval == sequences.interval
    assert found["sequence"].null_unit == sequences.null_unit


def test_under_twenty_units_there_is_a_reason_instead():
    found = measure_pair(
        *(f(small_store(sequences=8)) for f in (lambda s: change_between(s, 1, 2), lambda s: units_of(s, "sequence")))
    )
    assert found.measured.interval is None
    assert found.measured.interval_reason.startswith("8 units; an interval needs at least 20")


@pytest.mark.parametrize(
    ("attrs", "M"),
    [
        ({}, None),
        ({"noise_floor": "loud"}, None),
        ({"noise_floor": 0.25}, 0.25),
        ({"noise_floor": 9.0, "noise_floor_of_checkpoint": [9.0, 0.2, 0.1, 0.0, 0.0, 0.0]}, 0.2),
        ({"noise_floor": 9.0, "noise_floor_of_checkpoint": [0.0, None, 0.1, 0.0, 0.0, 0.0]}, 9.0),
        ({"noise_floor": 9.0, "noise_floor_of_checkpoint": [0.1]}, 9.0),
    ],
)
def test_the_noise_floor_is_that_of_the_two_checkpoints(attrs, M):
    store = small_store().assign_attrs(attrs)
    found = measure_pair(change_between(store, 1, 2), units_of(store))
    floor = found.noise_floor
    assert (floor.reason is None) == (M is not None)
    if M is None:
        assert math.isnan(floor.M)
        assert math.isnan(floor.D)
    else:
        assert M == floor.M
        assert min(M / found.measured.M, 1) == floor.D


@pytest.mark.parametrize("scale", [0.01, 0.3, 3.0])
def test_noise_of_mean_zero_gives_no_more_D_than_the_floor_says(scale):
    rng = np.random.default_rng(0)
    x, noise = rng.lognormal(0, 1, 200_000), rng.normal(0, scale, 200_000)
    noise -= noise.mean()
    assert destructive_interference(x + noise) <= np.abs(noise).mean() / np.abs(x + noise).mean()


def test_what_the_store_says_is_wrong_is_passed_on():
    said = {"complete": False, "problems": [{"code": "a", "steps": [1, 2], "message": "identical weights"}, "odd"]}
    found = measure_store(small_store().assign_attrs(said))
    assert [(problem.code, problem.steps) for problem in found.problems] == [("incomplete", ()), ("a", (1, 2))]
    assert found.problems[0].sentence.startswith("not everything is measured")
    assert found.problems[1].sentence == "steps 1, 2: identical weights"
    itself = [{"code": "a", "steps": [1, 2], "message": "steps 1, 2 hold the same weights"}]
    (problem,) = measure_store(small_store().assign_attrs(problems=itself)).problems
    assert problem.sentence == "steps 1, 2 hold the same weights"
    assert {pair.problem for pair in found.pairs} == {None}  # of no code that says that a checkpoint is not itself
    assert measure_store(small_store()).problems == ()


def test_a_whole_store_lists_pairs_and_steps_without_partner():
    found = measure_store(small_store(steps=(0, 1, 2, 4, 9, 10)))
    assert [(pair.from_step, pair.to_step) for pair in found.pairs] == [(1, 2), (2, 4)]
    assert found.unpaired == (4, 9, 10)
    found = measure_store(small_store(), "0:1,1:16")
    assert [(pair.from_step, pair.to_step) for pair in found.pairs] == [(0, 1), (1, 16)]
    assert len(measure_store(small_store(), "consecutive").pairs) == 5


def test_a_pair_that_cannot_be_compared_does_not_lose_the_others():
    store = small_store()
    store["loss"][2] = np.nan
    store["loss"][4, 0, 0] = np.inf
    found = measure_store(store, "consecutive")
    assert [(pair.from_step, pair.to_step) for pair in found.pairs] == [(0, 1)]
    reasons = dict(found.failed)
    assert "step 2 has no loss at all" in reasons[1, 2]
    assert "step 8: 1 losses are infinite" in reasons[4, 8]


def test_nothing_moved_has_no_groups_but_a_reason():
    store = small_store()
    store["loss"][2] = store["loss"][1].values
    found = measure_pair(change_between(store, 1, 2), units_of(store), "position")
    assert found.groups is None
    assert found.measured.reasons["D"] == "every change is zero"


def test_what_is_no_store_is_said():
    store = small_store()
    with pytest.raises(InputError, match="no losses of"):
        measure_store(store.drop_vars("loss"))
    with pytest.raises(InputError, match="which steps"):
        measure_store(store.drop_vars("step"))
    with pytest.raises(InputError, match="step 1: in the store more than once"):
        measure_store(store.assign_coords(step=("checkpoint", [1, 1, 2, 3, 4, 5])))
    with pytest.raises(InputError, match="whole number per checkpoint"):
        measure_store(store.assign_coords(step=("checkpoint", np.linspace(0, 1, 6))))
    with pytest.raises(InputError, match="only step 8 is measured"):
        measure_store(store.isel(checkpoint=[4]))
    with pytest.raises(InputError, match="with whole numbers"):
        measure_store(store.assign_coords(document=("sequence", list("abcdefghijklmnopqrstuvwx"))))


def test_same_tokens():
    store = small_store()
    assert same_tokens(store, small_store())
    assert not same_tokens(store, small_store(seed=1))
    assert not same_tokens(store, store.isel(sequence=slice(3)))
    assert not same_tokens(store, store.drop_vars("token"))


def test_arrays_data_arrays_and_tensors_give_the_same():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32)
    x[3, 2] = np.nan
    unit, group = np.arange(30)[:, None] // 2, np.arange(6)
    as_array = xr.DataArray(x, dims=("sequence", "position"))
    as_tensor = torch.tensor(x, requires_grad=True)
    for same in (as_array, as_tensor, x.tolist()):
        assert measure(same) == measure(x)
        there = ~np.isnan(x)
        assert destructive_interference(same)[0] == destructive_interference(x)[0]
        ours, theirs = (sums_by_group(one, group, unit, there) for one in (x, same))
        assert {name: s.R for name, s in ours.items()} == {name: s.R for name, s in theirs.items()}
        assert sign_agreement(same, x, where=there).agreement == 1.0
    assert measure(as_tensor, torch.tensor(unit), torch.tensor(~np.isnan(x))) == measure(x, unit, ~np.isnan(x))
    assert measure(as_array, xr.DataArray(unit)).N == 179
    half = torch.tensor([[-3.0, 1.0]], dtype=torch.bfloat16)
    assert measure(half).R == -0.5


def test_nan_is_left_out_and_counted():
    x = np.array([[1.0, np.nan], [-2.0, np.nan]])
    found = measure(x)
    assert (found.N, found.left_out, found.R) == (2, 2, -1 / 3)
    assert measure(x, where=[[True, True], [True, False]]).left_out == 1
    with pytest.raises(InputError, match="1 of 2 changes are not finite"):
        measure([1.0, np.inf])


def flagged(code, *steps):
    return {"code": code, "steps": list(steps), "message": "steps 8: wrong"}


def test_pairs_of_checkpoints_that_are_not_themselves_are_in_no_summary():
    """Against the same store without them, whose pairs are the sound ones."""
    store = small_store(steps=(1, 2, 4, 8, 16, 32, 64, 128))
    store["loss"][4] = store["loss"][3].values  # steps 8 and 16
    wrong = store.assign_attrs(problems=[flagged("identical-weights", 8, 16), flagged("implausible-loss", 128)])
    found = measure_store(wrong, "consecutive")
    alone = measure_store(store, "1:2,2:4,32:64")
    assert [pair.problem for pair in found.pairs] == [None, None, *["identical-weights"] * 3, None, "implausible-loss"]
    assert [(pair.from_step, pair.to_step) for pair in found.sound] == [(1, 2), (2, 4), (32, 64)]
    assert (found.last.from_step, found.last.to_step) == (32, 64)
    assert found.worse_often == alone.worse_often
    assert found.worse_often.pairs == ((1, 2), (2, 4), (32, 64))
    assert found.persistence == alone.persistence
    assert not np.isfinite(found.pairs[3].measured.D)  # shown as it is
    nothing = measure_store(wrong, "8:16,64:128")
    assert (nothing.sound, nothing.persistence, nothing.worse_often) == ((), (), None)
    assert nothing.last is nothing.pairs[-1]
