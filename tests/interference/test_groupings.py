"""Each grouping against the definition, token by token."""

import math
from collections import Counter

import numpy as np
import pytest
from small_store import WORDS, Words, small_store
from test_labelled import each_change

from zerosum import InputError
from zerosum.interference.labelled import TokenText, change_between, measure_pair, units_of
from zerosum.interference.labelled.groupings import label
from zerosum.interference.labelled.groupings._labels import distinct, log2_bins, quantile_bins


def names_of(by, store, start=4, end=8, text=None):
    """The group of every token, in order."""
    found = label(by, change_between(store, start, end), text)
    return [found.names[code] for code in found.code], found.note


def test_token_frequency_counts_the_store_itself():
    store = small_store()
    ids = [int(store["token"][s, t]) for s, t, _ in each_change(store, 4, 8)]
    counts = Counter(ids)
    found, note = names_of("token-frequency", store)
    for one, name in zip(ids, found, strict=True):
        low, _, high = name.partition("-")
        assert int(low) <= counts[one] <= int(high or low)
    assert f"among the {len(ids)} predictions of this store itself" in note


def test_position_is_the_number_of_tokens_seen():
    store = small_store()
    found, _ = names_of("position", store)
    bins = {1: "1", 2: "2-3", 3: "2-3", **dict.fromkeys(range(4, 8), "4-7"), **dict.fromkeys(range(8, 16), "8-15")}
    assert found == [bins[t + 1] for _, t, _ in each_change(store, 4, 8)]


@pytest.mark.parametrize(("by", "step"), [("initial-loss", 4), ("first-loss", 0)])
def test_losses_are_cut_into_equal_shares(by, step):
    store = small_store()
    found, note = names_of(by, store)
    loss = store["loss"].sel(checkpoint=store["step"].values.tolist().index(step)).values
    for name, (s, t, _) in zip(found, each_change(store, 4, 8), strict=True):
        low, high = map(float, name.split(" to "))
        assert low - 5e-4 <= loss[s, t] <= high + 5e-4
    sizes = Counter(found).values()
    assert len(sizes) == 10
    assert max(sizes) - min(sizes) <= 2
    assert ("Regression to the mean" in note) == (by == "initial-loss")


def test_first_loss_says_when_it_is_the_earlier_one():
    assert "regression to the mean" in names_of("first-loss", small_store(), 0, 1)[1]
    store = small_store()
    store["loss"][0, 0] = np.nan
    found = names_of("first-loss", store)[0]
    assert found.count("no loss there") == sum(s == 0 for s, _, _ in each_change(store, 4, 8)) > 0


def test_regression_to_the_mean_alone_opposes_the_bins_of_the_earlier_loss_only():
    """Losses that only fluctuate: high ones fall, low ones rise. Bins from another checkpoint do not see it."""
    rng = np.random.default_rng(0)
    store = small_store(sequences=200)
    store["loss"][:] = 3 + rng.normal(0, 1, store["loss"].shape)
    change, units = change_between(store, 4, 8), units_of(store, "sequence")
    lowest, *_, highest = measure_pair(change, units, "initial-loss").groups.split.groups
    assert lowest.delta_L > 1 > -1 > highest.delta_L
    for group in measure_pair(change, units, "first-loss").groups.split.groups:
        assert abs(group.delta_L) < 4 * math.sqrt(2 / group.N)


def test_documents_and_domains_by_name():
    store = small_store()
    document = store["document"].values
    found, _ = names_of("document", store)
    assert found == [f"text {document[s, t]}" for s, t, _ in each_change(store, 4, 8)]
    found, _ = names_of("domain", store)
    names = {0: "code (1)", 1: "prose", 2: "code (2)"}
    assert found == [names[int(store["domain"][s])] for s, _, _ in each_change(store, 4, 8)]
    nameless = store.drop_attrs().assign_coords(domain=("sequence", [-1, 7] * 12))
    assert set(names_of("domain", nameless)[0]) == {"no domain", "domain 7"}
    for by, wrong in (("document", "documents"), ("domain", "domains")):
        broken = store.assign_attrs({wrong: "not a list"})
        assert all(name.startswith(by) for name in names_of(by, broken)[0])
        with pytest.raises(InputError, match=f"which {wrong}"):
            names_of(by, store.drop_vars(by))


def test_classes_of_tokens():
    """WORDS at each place, the second after a letter."""
    ids = {word: k for k, word in enumerate(WORDS)}
    rows = {
        (" ", "a"): ("whitespace", "word-start"),
        ("a", "b"): ("word-start", "word-continuation"),
        ("ing", " the"): ("word-start", "word-start"),
        (" the", "ing"): ("word-start", "word-continuation"),
        (".", "1"): ("punctuation", "digit"),
        ("1", "b"): ("digit", "word-start"),
        ("\n", "\ufffd"): ("whitespace", "bytes"),
        ("é", "a"): ("word-start", "word-continuation"),
        ("<|end|>", "a"): ("special", "word-start"),
        (" 2", "ता"): ("digit", "word-start"),
        ("ता", "b"): ("word-start", "word-continuation"),
    }
    store = small_store(sequences=len(rows), positions=2, missing=0)
    store["token"][:] = [[ids[word] for word in row] for row in rows]
    store["first_token"][:] = ids["."]
    expected = [name for pair in rows.values() for name in pair]
    assert names_of("token-class", store, text=TokenText(Words()))[0] == expected
    unknown = names_of("token-class", store.drop_vars("first_token"), text=TokenText(Words()))[0]
    firsts = {was: now for was, now in zip(expected[::2], unknown[::2], strict=True) if was != now}
    assert firsts == {"word-start": "word, first of its sequence"}
    assert unknown[1::2] == expected[1::2]
    spaced = [k for k, row in enumerate(rows) if row[0] == " the"]
    assert unknown[2 * spaced[0]] == "word-start"


def test_classes_need_a_tokenizer_that_knows_the_ids():
    with pytest.raises(InputError, match="--tokenizer"):
        names_of("token-class", small_store())
    store = small_store()
    store["token"][0, 0] = 99
    with pytest.raises(InputError, match="token 99: the tokenizer has only ids below 13"):
        names_of("token-class", store.fillna(0), text=TokenText(Words()))


def test_unknown_groups_and_missing_tokens_are_said():
    with pytest.raises(InputError, match=r"groups by 'colour': not known. Use one of document, domain"):
        names_of("colour", small_store())
    with pytest.raises(InputError, match="which tokens it predicts"):
        names_of("token-frequency", small_store().drop_vars("token"))


def test_bins():
    labels = log2_bins(np.array([1, 2, 3, 4, 1023, 1024, 2**40]), "")
    assert [labels.names[code] for code in labels.code[:6]] == ["1", "2-3", "2-3", "4-7", "512-1,023", "1,024-2,047"]
    assert labels.code[-1] == 40
    same = quantile_bins(np.full(7, 2.5), "")
    assert (same.names, same.code.tolist()) == (("2.500 to 2.500",), [0] * 7)
    ties = quantile_bins(np.array([0.0] * 90 + [1.0] * 10), "")
    assert set(ties.code.tolist()) == {0} or len(ties.names) <= 2
    assert distinct(["1.0 to 1.0"] * 2) == ("1.0 to 1.0 (1)", "1.0 to 1.0 (2)")
