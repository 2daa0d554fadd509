"""JSON Lines, also gzipped: each line is a record with the text in one of its fields."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

from zerosum.errors import InputError
from zerosum.tokens._document import Document, Fields

_SUFFIXES = (".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz")


def matches(path: Path) -> bool:
    """Whether the file's name ends in .jsonl, .ndjson or .json, also with .gz."""
    return path.name.lower().endswith(_SUFFIXES)


def documents(path: Path, fields: Fields) -> Iterator[Document]:
    """One document per line that is not blank. Raises InputError with the number of a line that is not an object."""
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            raise InputError(
                f"{path}: line {number} is not JSON (a truncated file?). Copy it again or remove the line."
            ) from None
        if not isinstance(record, dict):
            raise InputError(f"{path}: line {number} is not an object. Give JSON Lines with an object on each line.")
        yield fields.document(record, f"{path}:{number}")


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            yield from file
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: the gzip file is damaged or truncated ({error}). Copy it again.") from None
