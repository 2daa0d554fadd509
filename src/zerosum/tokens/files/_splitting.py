"""Which documents are kept, and in which split: a hash of the content decides, the same on every machine."""

import numpy as np
from jaxtyping import Bool, Int8, UInt64

from zerosum.errors import InputError

TRAIN, HELD_OUT, COPY = 0, 1, 2


class NothingToHoldOut(InputError):
    """A single document, and a part of the documents is to be held out."""


def assign_splits(digests: UInt64[np.ndarray, "D 2"], share: float | int, seed: int) -> Int8[np.ndarray, " D"]:
    """TRAIN, HELD_OUT or COPY for each document. Of documents with the same content, all after the first are copies.

    digests: hashes of the documents' contents. share: of documents that are held out, in [0, 1). Above 0, at least one
    document is held out, and at least one is not.
    Raises InputError where there are too few documents.
    """
    is_copy = copies(digests)
    n_documents = len(digests) - int(is_copy.sum())
    if n_documents < (1 if share == 0 else 2):
        if n_documents == 0:
            raise InputError("no document has a token. Give more text.")
        raise NothingToHoldOut("a single document: none can be held out. Give more documents, or --held-out 0.")
    number = np.where(is_copy, np.uint64(2**64 - 1), _numbers(digests, seed))
    is_held_out = (number < np.uint64(int(share * 2**64))) & ~is_copy
    if share > 0:
        is_held_out[np.argmin(number)] = True
        if is_held_out.sum() == n_documents:
            is_held_out[np.argmax(np.where(is_copy, np.uint64(0), number))] = False
    splits: Int8[np.ndarray, " D"] = np.where(is_copy, COPY, np.where(is_held_out, HELD_OUT, TRAIN)).astype(np.int8)
    return splits


def copies(digests: UInt64[np.ndarray, "D 2"]) -> Bool[np.ndarray, " D"]:
    """Which documents have the same content as an earlier document."""
    order = np.lexsort((digests[:, 1], digests[:, 0]))  # stable: the first of equals comes first
    is_copy = np.zeros(len(digests), bool)
    is_copy[order[1:]] = (digests[order[1:]] == digests[order[:-1]]).all(axis=1)
    return is_copy


def _numbers(digests: UInt64[np.ndarray, "D 2"], seed: int) -> UInt64[np.ndarray, " D"]:
    """A number below 2^64 for each document, by its content and the seed: the SHA-256 of the content, mixed with it."""
    factor = np.uint64(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] | np.uint64(1))
    mixed = digests[:, 0] * factor
    numbers: UInt64[np.ndarray, " D"] = (mixed ^ (mixed >> np.uint64(32))) * factor ^ digests[:, 1]
    return numbers
