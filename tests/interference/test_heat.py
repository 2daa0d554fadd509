"""Documents token by token: which tokens are shown and which are cut."""

import math

import numpy as np
import pytest

from zerosum.interference.labelled import Change, Moved, TokenText, _heat, heat_map


class Letters:
    """Id k is the k-th letter, 26 a line break."""

    def decode(self, ids, skip_special_tokens=True):
        return "".join("\n" if one == 26 else chr(97 + one) for one in ids)


def changed(x):
    return Change(None, 10, 20, np.zeros(x.shape), x, np.isfinite(x), 0)


def shown(x, document, token, first=None, of=0, text=None, net=-1.0):
    moved = (Moved("prediction", 1.0, 1, "not a document"), Moved("document", net, 1, "doc", document=of))
    return heat_map(changed(x), moved, document, token, first, text)


def test_every_token_of_the_document_has_its_own_change():
    rng = np.random.default_rng(0)
    x, token = rng.normal(size=(4, 5)), rng.integers(0, 26, (4, 5))
    document = rng.integers(0, 3, (4, 5))
    token[3, 4], x[3, 4] = -1, np.nan  # padding
    x[0, 1] = np.nan
    found = shown(x, document, token, of=int(document[0, 1]))
    listed = [one for part in found.documents[0].parts for one in part]
    expected = [
        (s, t, int(token[s, t]), x[s, t])
        for s in range(4)
        for t in range(5)
        if document[s, t] == document[0, 1] and token[s, t] >= 0
    ]
    np.testing.assert_equal([(one.sequence, one.position, one.id, one.change) for one in listed], expected)
    assert len(found.documents[0].parts) == len({s for s, *_ in expected})


def test_the_first_token_of_a_sequence_is_shown_without_a_change():
    token = np.array([[1, 2], [3, 4]])
    found = shown(np.ones((2, 2)), np.array([[0], [1]]), token, np.array([[25], [24]]), text=TokenText(Letters()))
    (part,) = found.documents[0].parts
    assert [(one.text, one.position) for one in part] == [("z", -1), ("b", 0), ("c", 1)]
    assert math.isnan(part[0].change)


@pytest.mark.parametrize("net", [-1.0, 1.0])
def test_of_a_long_document_the_tokens_that_moved_most_its_way_are_shown(monkeypatch, net):
    monkeypatch.setattr(_heat, "LONGEST", 7)
    x = np.random.default_rng(1).normal(size=(3, 12))
    found = shown(x, np.zeros((3, 1), int), np.zeros((3, 12), int), net=net).documents[0]
    sums = [x.ravel()[k : k + 7].sum() * net for k in range(30)]
    best = int(np.argmax(sums))
    assert [one.change for part in found.parts for one in part] == x.ravel()[best : best + 7].tolist()
    assert f"tokens {best + 1} to {best + 7} of 36" in found.note


def test_nothing_moved_no_heat_map():
    moved = (Moved("token", 1.0, 1, "a", token=3),)
    nowhere = np.zeros((1, 1), int)
    assert heat_map(changed(np.zeros((1, 1))), moved, nowhere, nowhere, None, None) is None
