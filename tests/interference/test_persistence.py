"""Who keeps paying, and who moved most, against plain loops; what fluctuation alone does to it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_changes import covered_agreement
from small_store import WORDS, Words, small_store
from test_labelled import each_change

from zerosum import InputError
from zerosum.interference import sign_agreement
from zerosum.interference.labelled import TokenText, change_between, most_moved, persistence, units_of, worse_often

DOUBLINGS = [(1, 2), (2, 4), (4, 8), (8, 16)]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_agreement_is_what_loops_give(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(-0.3, 1, (2, 6, 7))
    x[0, 0] = 0.0
    weight = agree = rises_x = rises_y = 0.0
    for a, b in zip(x.ravel(), y.ravel(), strict=True):
        m = math.sqrt(abs(a * b))
        weight += m
        agree += m * ((a > 0) == (b > 0))
        rises_x += m * (a > 0)
        rises_y += m * (b > 0)
    p, q = rises_x / weight, rises_y / weight
    found = sign_agreement(x, y)
    assert found.agreement == pytest.approx(agree / weight, abs=1e-12)
    assert found.expected == pytest.approx(p * q + (1 - p) * (1 - q), abs=1e-12)
    assert found.excess == pytest.approx(found.agreement - found.expected, abs=1e-12)
    assert found.interval_reason.startswith("6 units")


def test_agreement_of_one_with_itself_and_with_its_mirror():
    x = np.random.default_rng(0).normal(size=(30, 5))
    assert sign_agreement(x, 3 * x).agreement == 1.0
    assert sign_agreement(x, -x).agreement == 0.0
    nothing = sign_agreement(x, np.zeros_like(x))
    assert math.isnan(nothing.excess)
    assert nothing.interval_reason == "no token changed in both"
    with pytest.raises(InputError, match="different tokens"):
        sign_agreement(x, x[:3])


@pytest.mark.parametrize("units", [30, 100])
def test_intervals_of_agreement_cover(units):
    """92-98 % of 300 repeats; `make check-long` makes more of them."""
    for covered in covered_agreement(units, 300).values():
        assert 0.92 <= covered / 300 <= 0.98


def test_a_shared_checkpoint_that_only_fluctuates_looks_like_taking_turns():
    store = small_store(sequences=100)
    store["loss"][:] = 3 + np.random.default_rng(1).normal(0, 1, store["loss"].shape)
    found = list(persistence(store, DOUBLINGS, units_of(store)))
    assert [(one.first, one.second, one.shares_checkpoint) for one in found] == [
        ((1, 2), (2, 4), True),
        ((1, 2), (4, 8), False),
        ((2, 4), (4, 8), True),
        ((2, 4), (8, 16), False),
        ((4, 8), (8, 16), True),
    ]
    for one in found:
        low, high = one.found.intervals["excess"]
        if one.shares_checkpoint:
            assert high < -0.1
        else:
            assert low < 0 < high


def test_tokens_that_always_rise_are_found():
    store = small_store(missing=0)
    slope = np.where(np.arange(10) < 2, 1.0, -1.0)
    store["loss"][:] = 10 + slope * np.arange(6)[:, None, None] + 0 * store["loss"].values
    (first, *_), often = persistence(store, DOUBLINGS, units_of(store)), worse_often(store, DOUBLINGS, units_of(store))
    assert first.found.agreement == 1.0
    assert first.found.expected == pytest.approx(0.2**2 + 0.8**2)
    assert (often.pairs, often.at_least, often.N) == (tuple(DOUBLINGS), 3, 240)
    assert often.share == pytest.approx(0.2)
    assert often.expected == pytest.approx(4 * 0.2**3 * 0.8 + 0.2**4)
    assert often.times == pytest.approx((0.8, 0, 0, 0, 0.2))
    assert often.interval[0] < 0.2 < often.interval[1] or often.interval == (0.2, 0.2)


def test_how_often_is_counted_token_by_token():
    store = small_store()
    store["loss"][3, 0, :5] = np.nan
    found = worse_often(store, [*DOUBLINGS, (1, 16)], units_of(store, "sequence"))
    changes = [{(s, t): x for s, t, x in each_change(store, *pair)} for pair in DOUBLINGS]
    common = set.intersection(*map(set, changes))
    counted = [sum(one[place] > 0 for one in changes) for place in common]
    assert len(common) == found.N
    assert found.times == pytest.approx([counted.count(k) / len(common) for k in range(5)])
    assert sum(found.times_expected) == pytest.approx(1)
    assert found.share == pytest.approx(sum(k >= 3 for k in counted) / len(common))
    assert found.interval[0] <= found.share <= found.interval[1]


def test_one_pair_has_no_time():
    store = small_store()
    assert worse_often(store, DOUBLINGS[:1], units_of(store)) is None
    assert list(persistence(store, DOUBLINGS[:1], units_of(store))) == []
    assert worse_often(store, [(1, 4), (2, 8)], units_of(store)) is None  # they overlap


def test_who_moved_most():
    store = small_store()
    found = most_moved(change_between(store, 2, 4), TokenText(Words()), top=2)
    changes = sorted((x, s, t) for s, t, x in each_change(store, 2, 4))
    worst, best = [one for one in found if one.kind == "prediction"][::2]
    for one, (x, s, t) in ((worst, changes[-1]), (best, changes[0])):
        assert (one.net, one.sequence, one.position) == (pytest.approx(x), s, t)
        row = [int(store["first_token"][s]), *store["token"].values[s].tolist()]
        assert one.text == WORDS[row[t + 1]]
        assert one.context == "".join(WORDS[k] for k in row[: t + 1])
    for kind, of in (("token", "token"), ("document", "document")):
        net, n = {}, {}
        for s, t, x in each_change(store, 2, 4):
            key = int(store[of][s, t])
            net[key], n[key] = net.get(key, 0.0) + x, n.get(key, 0) + 1
        low = min(net, key=net.get)
        best = next(one for one in found if one.kind == kind and one.net < 0)
        assert (best.net, best.N) == (pytest.approx(net[low]), n[low])
        assert best.text == (WORDS[low] if kind == "token" else f"text {low}")


def test_without_a_tokenizer_ids_are_shown():
    store = small_store()
    found = most_moved(change_between(store, 2, 4), top=1)
    assert found[0].text == f"token {found[0].token}"
    assert len(found[0].context.split()) == found[0].position + 1
    bare = most_moved(change_between(store.drop_vars(["token", "document"]), 2, 4), top=1)
    assert {one.kind for one in bare} == {"prediction"}
    assert most_moved(change_between(store, 2, 4), top=0) == ()
