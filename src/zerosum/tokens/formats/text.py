"""Plain text: the whole file is one document."""

from collections.abc import Iterator
from pathlib import Path

from zerosum.errors import InputError
from zerosum.tokens._document import Document, Fields


def matches(path: Path) -> bool:
    """True for every file."""
    return path.is_file()


def documents(path: Path, fields: Fields) -> Iterator[Document]:
    """The document. Raises InputError where the file is not UTF-8."""
    try:
        yield Document(str(path), path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: not UTF-8 text (byte {error.start}). Give text, .jsonl, .parquet, .npy or .bin files."
        ) from None
