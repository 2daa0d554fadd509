"""Held-out windows that occur in the training ids: counted by hashes, and by brute force."""

import numpy as np
import pytest
from token_folders import documents_of, split_of

from zerosum.tokens.files import Overlap, _overlap


def by_brute_force(train, held_out, window):
    row = train.ids.tolist()
    known = {tuple(row[at : at + window]) for at in range(len(row) - window + 1)}
    windows = [
        tuple(ids[at : at + window]) for ids in documents_of(held_out) for at in range(0, len(ids) - window + 1, window)
    ]
    return Overlap(window, len(windows), sum(ids in known for ids in windows))


@pytest.mark.parametrize(("chunk", "group"), [(1 << 20, 1 << 22), (7, 5)])
def test_counts_are_those_of_brute_force(monkeypatch, chunk, group):
    monkeypatch.setattr(_overlap, "_CHUNK", chunk)
    monkeypatch.setattr(_overlap, "_HELD_OUT_WINDOWS", group)
    counts = set()
    for case in range(60):
        rng = np.random.default_rng(case)
        splits = [
            split_of([rng.integers(0, 3, rng.integers(1, 40)).tolist() for _ in range(rng.integers(1, 6))])
            for _ in range(2)
        ]
        window = int(rng.integers(1, 9))
        expected = by_brute_force(*splits, window)
        assert _overlap.overlap(splits[0].ids, splits[1].ids, splits[1].starts, window) == expected
        counts.add(expected.in_training)
    assert len(counts) > 10


def test_hashes_are_polynomials_of_mixed_ids():
    ids = np.random.default_rng(0).integers(0, 1 << 32, 60).astype("<u4")
    mixed = [int(number) for number in _overlap._mixed(ids)]
    for window in (1, 2, 3, 7, 32, 60):
        power = [pow(_overlap._FACTOR, window - 1 - k, 1 << 64) for k in range(window)]
        sums = [sum(mixed[at + k] * power[k] for k in range(window)) % (1 << 64) for at in range(61 - window)]
        assert _overlap.window_hashes(ids, window).tolist() == sums
    assert len(_overlap.window_hashes(ids, 61)) == 0


def test_the_share_is_an_estimate():
    assert Overlap(32, 8, 2).share.value == 0.25
    assert Overlap(32, 8, 2).share.N == 8
    empty = Overlap(32, 0, 0).share
    assert not empty.known
    assert empty.reason == "no held-out document has 32 tokens"
