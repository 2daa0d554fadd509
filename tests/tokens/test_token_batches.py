"""Batches of token files: every window once in an epoch, equal to windows cut by brute force."""

import subprocess
import sys

import numpy as np
import pytest
from token_folders import documents_of, split_of

from zerosum import InputError
from zerosum.tokens.files import epoch_batch, n_windows


def random_split(seed):
    rng = np.random.default_rng(seed)
    documents = [rng.integers(0, 1_000, rng.integers(1, 12)).tolist() for _ in range(rng.integers(1, 9))]
    return split_of(documents, rng.integers(0, 3, len(documents)).tolist())


def windows_by_hand(split, length, packing):
    """(ids, domain) of every window of an epoch, in the order of the text."""
    documents = documents_of(split)
    if packing == "cut":
        cut = [
            (ids[at : at + length + 1], d) for d, ids in enumerate(documents) for at in range(0, len(ids) - 1, length)
        ]
        return [(tuple(ids + [-1] * (length + 1 - len(ids))), int(split.domain[d])) for ids, d in cut]
    row = [(token, int(split.domain[d])) for d, ids in enumerate(documents) for token in ids]
    starts = range(0, len(row) - length, length)
    return [(tuple(token for token, _ in row[at : at + length + 1]), row[at + 1][1]) for at in starts]


@pytest.mark.parametrize("packing", ["packed", "cut"])
def test_every_window_comes_once_in_every_epoch(packing):
    n_checked = 0
    for case in range(60):
        split, length, sequences = random_split(case), 1 + case % 5, 1 + case % 4
        expected = windows_by_hand(split, length, packing)
        assert n_windows(split, length, packing) == len(expected)
        if not expected:
            continue
        n_steps = -(-3 * len(expected) // sequences)
        batches = [epoch_batch(split, case, step, sequences, length, packing) for step in range(n_steps)]
        got = [(tuple(row), int(d)) for ids, domain in batches for row, d in zip(ids.tolist(), domain, strict=True)]
        for epoch in range(3):
            assert sorted(got[epoch * len(expected) : (epoch + 1) * len(expected)]) == sorted(expected)
        assert batches[0][0].shape == (sequences, length + 1)
        assert batches[0][0].dtype == np.int64
        n_checked += 1
    assert n_checked > 50


def test_epochs_and_seeds_have_their_own_order():
    split = split_of([list(range(401))])
    orders = {
        tuple(epoch_batch(split, seed, epoch, 100, 4)[0][:, 0].tolist()) for seed in range(3) for epoch in range(3)
    }
    assert len(orders) == 9
    assert all(sorted(order) == list(range(0, 400, 4)) for order in orders)


def test_a_batch_depends_on_seed_and_step_alone(tmp_path):
    code = (
        "import numpy as np; from zerosum.tokens.files import Split, epoch_batch;"
        "split = Split(np.arange(1001, dtype='<u2'), np.array([0, 1001]), np.zeros(1, np.int32));"
        "import sys; print(epoch_batch(split, 5, 77, 3, 10)[0][:, 0].tolist(), 'torch' in sys.modules)"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    split = split_of([list(range(1001))])
    epoch_batch(split, 1, 0, 8, 10)  # what was asked before does not matter
    assert other == f"{epoch_batch(split, 5, 77, 3, 10)[0][:, 0].tolist()} False"


def test_what_is_no_batch():
    with pytest.raises(InputError, match="3 tokens: no window of 5 tokens"):
        epoch_batch(split_of([[1, 2, 3]]), 0, 0, 1, 5)
    with pytest.raises(InputError, match="no window"):
        epoch_batch(split_of([[1], [2]]), 0, 0, 1, 5, "cut")
    with pytest.raises(InputError, match="length 0"):
        epoch_batch(split_of([[1, 2]]), 0, 0, 1, 0)
    with pytest.raises(InputError, match="step -1"):
        epoch_batch(split_of([[1, 2]]), 0, -1, 1, 1)


def test_the_work_of_a_batch_does_not_grow_with_the_split():
    """A row of 10^9 ids that would not fit into memory here: a view of one id, repeated."""
    ids = np.broadcast_to(np.array([7], "<u2"), (10**9,))
    split = type(split_of([[1]]))(ids, np.array([0, 10**9]), np.zeros(1, np.int32))
    for packing in ("packed", "cut"):
        batch, domain = epoch_batch(split, 0, 10**6, 4, 1_024, packing)
        assert batch.shape == (4, 1_025)
        assert domain.tolist() == [0] * 4
