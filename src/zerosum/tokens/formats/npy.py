"""NumPy arrays of token ids: [sequence, position], or one long row."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Integer

from zerosum.errors import InputError
from zerosum.tokens._document import Document, Fields


def is_mine(path: Path) -> bool:
    """By its name's ending."""
    return path.suffix.lower() == ".npy"


def documents(path: Path, fields: Fields) -> Iterator[Document]:
    """A document for each row of a matrix, or one. Negative ids at the end of a matrix row are padding.

    Raises InputError for what is no such array, and for pickles, which are never loaded.
    """
    ids = _load(path)
    if ids.ndim == 1:
        yield Document(str(path), ids, is_stream=True)
        return
    for number, row in enumerate(ids):
        kept = np.flatnonzero(row >= 0)
        end = int(kept[-1]) + 1 if len(kept) else 0
        yield Document(f"{path}:{number + 1}", row[:end])


def row_length(path: Path) -> int | None:
    """How many ids a row of a matrix has; None for one long row."""
    ids = _load(path)
    return ids.shape[1] if ids.ndim == 2 else None


def _load(path: Path) -> Integer[np.ndarray, "..."]:
    try:
        ids = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        cause = " ".join(str(error).split())
        if "pickle" in cause or "object" in cause:  # numpy's advice is to load it all the same
            cause = "something else, or pickled objects, which are never loaded"
        raise InputError(
            f"{path}: no whole array of numbers ({cause}). Copy it again, or save ids as integers with numpy.save."
        ) from None
    if not isinstance(ids, np.ndarray) or ids.ndim not in (1, 2) or ids.dtype.kind not in "iu":
        raise InputError(f"{path}: shape {ids.shape} of {ids.dtype}. Give token ids [sequence, position] as integers.")
    return ids
