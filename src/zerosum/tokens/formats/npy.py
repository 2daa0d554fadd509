"""NumPy arrays of token ids: a matrix [sequence, position], or one long row [position]."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Integer

from zerosum.errors import InputError
from zerosum.tokens._document import Document, Fields, Range, even_ranges


def matches(path: Path) -> bool:
    """Whether the file's name ends in .npy."""
    return path.suffix.lower() == ".npy"


def ranges(path: Path, size: int) -> list[Range]:
    """Ranges of rows of a matrix, or of ids of a long row, of about `size` bytes."""
    ids = _load(path)
    return even_ranges(len(ids), size // max(1, ids[:1].nbytes))


def documents(path: Path, fields: Fields, part: Range | None = None) -> Iterator[Document]:
    """One document per row of a matrix, where negative ids at the end are padding; or one long row as a stream.

    part: only these rows of a matrix; a long row is always given whole.
    Raises InputError for other arrays, and for pickled objects, which are never loaded.
    """
    ids = _load(path)
    if ids.ndim == 1:
        yield Document(str(path), ids, is_stream=True)
        return
    first, end = part or (0, len(ids))
    for number, row in enumerate(ids[first:end], start=first):
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
