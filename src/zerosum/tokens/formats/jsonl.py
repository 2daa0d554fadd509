"""JSON Lines, also gzipped: each line an object, one of its fields the text."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

from zerosum.errors import InputError
from zerosum.tokens._document import Document, Fields

_ENDINGS = (".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz")


def is_mine(path: Path) -> bool:
    """By its name's ending."""
    return path.name.lower().endswith(_ENDINGS)


def documents(path: Path, fields: Fields) -> Iterator[Document]:
    """A document for each line that is not blank. Raises InputError, with its number, for a line that is no object."""
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            raise InputError(
                f"{path}: line {number} is no JSON (a truncated file?). Copy it again or remove the line."
            ) from None
        if not isinstance(record, dict):
            raise InputError(f"{path}: line {number} is no object. Give JSON Lines, an object on each line.")
        yield fields.document(record, f"{path}:{number}")


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            yield from file
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: this gzip file is damaged or truncated ({error}). Copy it again.") from None
