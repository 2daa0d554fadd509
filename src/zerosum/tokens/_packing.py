"""Cuts documents of token ids into windows of one length. Letters: windows of L = T + 1 ids, which predict T ids."""

from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import Int32, Int64

from zerosum.tokens._sequences import PADDING

TokenIds = Int64[np.ndarray, " _"]
Window = tuple[Int64[np.ndarray, " _"], Int32[np.ndarray, " _"]]  # ids [L], document of each predicted id [T]


def packed(documents: Iterable[TokenIds], length: int) -> Iterator[Window]:
    """Windows over all documents joined; each predicts `length` ids and begins with the last id of the window before.

    Yields ids [L], and the document of each predicted id [T], -1 at the padding of the last window.

    >>> [ids.tolist() for ids, _ in packed([np.array([1, 2, 3]), np.array([4, 5])], 2)]
    [[1, 2, 3], [3, 4, 5]]
    """
    ids, labels = np.empty(0, np.int64), np.empty(0, np.int32)
    for number, document in enumerate(documents):
        ids = np.concatenate([ids, document])
        labels = np.concatenate([labels, np.full(len(document), number, np.int32)])
        n_windows = max(0, len(ids) - 1) // length
        for start in range(0, n_windows * length, length):
            yield ids[start : start + length + 1], labels[start + 1 : start + length + 1]
        ids, labels = ids[n_windows * length :], labels[n_windows * length :]
    if len(ids) > 1:
        yield _padded(ids, length + 1), _padded(labels[1:], length)


def one_by_one(documents: Iterable[TokenIds], length: int) -> Iterator[Window]:
    """Windows that each hold ids of a single document; long documents are split, short ones padded.

    >>> [ids.tolist() for ids, _ in one_by_one([np.array([1, 2, 3, 4]), np.array([5, 6])], 2)]
    [[1, 2, 3], [3, 4, -1], [5, 6, -1]]
    """
    for number, document in enumerate(documents):
        for start in range(0, len(document) - 1, length):
            ids = document[start : start + length + 1]
            labels = np.full(len(ids) - 1, number, np.int32)
            yield _padded(ids, length + 1), _padded(labels, length)


def _padded(row: np.ndarray, length: int) -> np.ndarray:
    return np.pad(row, (0, length - len(row)), constant_values=PADDING)
