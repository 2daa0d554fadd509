"""NumPy arrays of token ids: a matrix [sequence, position], or one long row [position]."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Integer

from zerosum.errors import InputError
from zerosum.tokens._document import Document, Fields


def matches(path: Path) -> bool:
    """Whether the file's name ends in .npy."""
    return path.suffix.lower() == ".npy"


def documents(path: Path, fields: Fields) -> Iterator[Document]:
    """One document per row of a matrix, where negative ids at the end are padding; or one long row as a stream.

    Raises InputError for other arrays, and for pickled objects, which are never loaded.
    """
    ids = _load(path)
    if ids.ndim == 1:
        yield Document(str(path), ids, is_stream=True)
        return
    for number, row in enumerate(ids):
        id_positions = np.flatnonzero(row >= 0)
        end = int(id_positions[-1]) + 1 if len(id_positions) else 0
        yield Document(f"{path}:{number + 1}", row[:end])


def row_length(path: Path) -> int | None:
    """The number of ids in each row of a matrix; None for one long row."""
    ids = _load(path)
    return ids.shape[1] if ids.ndim == 2 else None


def _load(path: Path) -> Integer[np.ndarray, "..."]:
    try:
        ids = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # noqa: BLE001 - a damaged header can lead to an error of almost any type
        cause = " ".join(str(error).split())
        if "pickle" in cause or "object" in cause:  # numpy's message advises loading the pickle
            cause = "another file, or pickled objects, which are never loaded"
        raise InputError(
            f"{path}: not a complete array of numbers ({cause}). Copy it again, or save integer ids with numpy.save."
        ) from None
    if not isinstance(ids, np.ndarray) or ids.ndim not in (1, 2) or ids.dtype.kind not in "iu":
        raise InputError(
            f"{path}: shape {ids.shape}, type {ids.dtype}. Give token ids [sequence, position] as integers."
        )
    return ids
