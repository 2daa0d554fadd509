"""Token files: nanoGPT's `train.bin` (uint16 or uint32 ids without a header) and llm.c's (ids after a header)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Integer

from zerosum.errors import InputError
from zerosum.tokens._document import Document, Fields, Range, even_ranges

_LLMC_MAGIC = 20240520  # first of the 256 int32 of the header of llm.c and modded-nanogpt; the third is the token count
_HEADER_BYTES = 1_024
_SMALL = 255  # ids of a small vocabulary, of characters say
_PROBED_WORDS = 1_000_000  # words by which the width of ids in a file without a header is judged


def matches(path: Path) -> bool:
    """Whether the file's name ends in .bin."""
    return path.suffix.lower() == ".bin"


def ranges(path: Path, size: int) -> list[Range]:
    """Ranges of ids of about `size` bytes."""
    ids = read_ids(path)
    return even_ranges(len(ids), size // ids.itemsize)


def documents(path: Path, fields: Fields, part: Range | None = None) -> Iterator[Document]:
    """All ids as one stream, which is always given whole. Raises InputError for a truncated file."""
    yield Document(str(path), read_ids(path), is_stream=True)


def read_ids(path: Path) -> Integer[np.ndarray, " n"]:
    """The ids, memory-mapped from the file.

    A file without a header does not state the width of its ids. They are read as uint32 where every second 16-bit word
    is below 16 (no vocabulary has more than a million ids), and either all of these words are 0, or some of the words
    between them are large: in uint16 of a small vocabulary all words are small. Otherwise they are read as uint16.
    """
    size = path.stat().st_size
    if size == 0:
        raise InputError(f"{path}: empty. Give a file of token ids.")
    if size >= _HEADER_BYTES and (header := np.fromfile(path, "<i4", 256))[0] == _LLMC_MAGIC:
        return _after_header(path, size, int(header[2]))
    if size % 2:
        raise InputError(
            f"{path}: {size} bytes are not a whole number of 16-bit ids (a truncated file?). Copy it again."
        )
    words = np.memmap(path, "<u2", "r")
    low, high = words[0:_PROBED_WORDS:2], words[1:_PROBED_WORDS:2]
    wide = size % 4 == 0 and bool((high < 16).all()) and (not high.any() or bool((low > _SMALL).any()))
    return np.memmap(path, "<u4", "r") if wide else words


def _after_header(path: Path, size: int, count: int) -> Integer[np.ndarray, " n"]:
    width = {2: "<u2", 4: "<u4"}.get((size - _HEADER_BYTES) // count) if count > 0 else None
    if width is None or (size - _HEADER_BYTES) % count:
        raise InputError(f"{path}: its header states {count} tokens, but the file has {size} bytes. Copy it again.")
    return np.memmap(path, width, "r", _HEADER_BYTES)
