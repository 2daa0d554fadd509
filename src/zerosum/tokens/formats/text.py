"""Plain text: the whole file is one document.

Read in parts, as for training, a file may hold many documents with the text `<|endoftext|>` between them.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from zerosum.errors import InputError
from zerosum.tokens._document import Document, Fields, Range, even_ranges

SEPARATOR = b"<|endoftext|>"
_BLOCK = 1 << 20  # bytes read at a time of a document that goes on after its part
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def matches(path: Path) -> bool:
    """True for every file."""
    return path.is_file()


def ranges(path: Path, size: int) -> list[Range]:
    """Ranges of about `size` bytes."""
    return even_ranges(max(1, path.stat().st_size), size)  # an empty file is an empty document


def documents(path: Path, fields: Fields, part: Range | None = None) -> Iterator[Document]:
    """The document; of a part, the documents that begin in this range of bytes, each as pieces of its bytes.

    Raises InputError where the file is not UTF-8 (of a part, whoever decodes the bytes has to).
    """
    if part is not None:
        yield from _documents_in(path, part)
        return
    try:
        yield Document(str(path), path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise not_utf8(str(path), error.start) from None


def not_utf8(name: str, byte: int) -> InputError:
    """The error for a text that is not UTF-8. byte: the first that is wrong."""
    return InputError(
        f"{name}: not UTF-8 text (byte {byte}). Convert it, or leave it out. Text, .jsonl, .parquet, .npy and .bin "
        "files are read."
    )


def _documents_in(path: Path, part: Range) -> Iterator[Document]:
    first, end = part
    with path.open("rb") as file:
        before = min(first, len(SEPARATOR))  # a separator that ends where the part begins, or inside it
        file.seek(first - before)
        text = file.read(end - first + before)
        starts = [match.end() for match in re.finditer(re.escape(SEPARATOR), text) if before <= match.end() < len(text)]
        if first == 0:
            starts.insert(0, len(_BYTE_ORDER_MARK) if text.startswith(_BYTE_ORDER_MARK) else 0)
        for start, following in zip(starts, [*starts[1:], None], strict=False):
            position = first - before + start
            name = str(path) if position <= len(_BYTE_ORDER_MARK) else f"{path}:byte {position}"
            if following is not None:
                yield Document(name, iter([text[start : following - len(SEPARATOR)]]))
            else:
                yield Document(name, _until_separator(text[start:], file))


def _until_separator(text: bytes, file: BinaryIO) -> Iterator[bytes]:
    """The text, and the text that follows in the file, up to the next separator or the end of the file."""
    while (at := text.find(SEPARATOR)) < 0 and (more := file.read(_BLOCK)):
        passed = max(0, len(text) - len(SEPARATOR) + 1)  # the rest may be the beginning of a separator
        yield text[:passed]
        text = text[passed:] + more
    yield text if at < 0 else text[:at]
