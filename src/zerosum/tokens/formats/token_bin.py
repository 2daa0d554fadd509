"""Token files of nanoGPT (`train.bin`: bare uint16 or uint32 ids) and llm.c (the same after a header)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Integer

from zerosum.errors import InputError
from zerosum.tokens._document import Document, Fields

_LLMC = 20240520  # llm.c and modded-nanogpt: a header of 256 int32, this number first, the count of tokens third
_HEADER = 1_024
_LOOKED_AT = 1_000_000


def is_mine(path: Path) -> bool:
    """By its name's ending."""
    return path.suffix.lower() == ".bin"


def documents(path: Path, fields: Fields) -> Iterator[Document]:
    """One document. Raises InputError for a truncated file."""
    yield Document(str(path), read_ids(path), is_stream=True)


def read_ids(path: Path) -> Integer[np.ndarray, " n"]:
    """The ids, mapped from the file.

    A bare file does not say how wide its ids are: they are uint32 where every other 16-bit word is under 16 (no
    vocabulary has more than a million ids), which running text in uint16 never shows. Otherwise they are uint16.
    """
    size = path.stat().st_size
    if size == 0:
        raise InputError(f"{path}: empty. Give a file of token ids.")
    if size >= _HEADER and (header := np.fromfile(path, "<i4", 256))[0] == _LLMC:
        return _after_header(path, size, int(header[2]))
    if size % 2:
        raise InputError(f"{path}: {size} bytes are no whole number of 16-bit ids (a truncated file?). Copy it again.")
    words = np.memmap(path, "<u2", "r")
    wide = size % 4 == 0 and bool((words[1:_LOOKED_AT:2] < 16).all())
    return np.memmap(path, "<u4", "r") if wide else words


def _after_header(path: Path, size: int, count: int) -> Integer[np.ndarray, " n"]:
    width = {2: "<u2", 4: "<u4"}.get((size - _HEADER) // count) if count > 0 else None
    if width is None or (size - _HEADER) % count:
        raise InputError(f"{path}: its header says {count} tokens, which {size} bytes cannot hold. Copy it again.")
    return np.memmap(path, width, "r", _HEADER)
