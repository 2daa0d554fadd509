"""JSON Lines, also gzipped: each line is a record with the text in one of its fields."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

from zerosum.errors import InputError
from zerosum.tokens._document import Document, Fields, Range, even_ranges

_SUFFIXES = (".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz")


def matches(path: Path) -> bool:
    """Whether the file's name ends in .jsonl, .ndjson or .json, also with .gz."""
    return path.name.lower().endswith(_SUFFIXES)


def ranges(path: Path, size: int) -> list[Range]:
    """Ranges of about `size` bytes; a gzipped file is a single range."""
    total = path.stat().st_size
    return [(0, total)] if _is_gzip(path) else even_ranges(total, size)


def documents(path: Path, fields: Fields, part: Range | None = None) -> Iterator[Document]:
    """One document per line that is not blank. part: only lines that begin in this range of bytes.

    Raises InputError with the number of a line that is not an object; in a part, with the byte where it begins.
    """
    in_part = part is not None and not _is_gzip(path)
    lines = _lines_in(path, part) if part is not None and in_part else enumerate(_lines(path), start=1)
    for number, line in lines:
        if not line.strip():
            continue
        where = f"the line at byte {number}" if in_part else f"line {number}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            raise InputError(
                f"{path}: {where} is not JSON (a truncated file?). Copy it again or remove the line."
            ) from None
        if not isinstance(record, dict):
            raise InputError(f"{path}: {where} is not an object. Give JSON Lines with an object on each line.")
        yield fields.document(record, f"{path}:byte {number}" if in_part else f"{path}:{number}")


def _is_gzip(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


def _lines_in(path: Path, part: Range) -> Iterator[tuple[int, bytes]]:
    """The lines that begin in a range of bytes, each with the byte where it begins."""
    first, end = part
    with path.open("rb") as file:
        position = first
        if first:
            file.seek(first - 1)
            position += len(file.readline()) - 1  # the rest of a line that begins before
        while position < end and (line := file.readline()):
            yield position, line
            position += len(line)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path) if _is_gzip(path) else path.open("rb") as file:
            yield from file
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: the gzip file is damaged or truncated ({error}). Copy it again.") from None
