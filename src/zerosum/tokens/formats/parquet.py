"""Parquet: each row is a record with the text in one of its columns."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zerosum.errors import InputError, MissingExtra
from zerosum.tokens._document import Document, Fields, Range

_ROWS = 1_000  # rows read at a time


def matches(path: Path) -> bool:
    """Whether the file's name ends in .parquet or .pq."""
    return path.suffix.lower() in (".parquet", ".pq")


def ranges(path: Path, size: int) -> list[Range]:
    """Ranges of row groups of about `size` bytes of data."""
    with _opened(path) as file:
        n_bytes = [file.metadata.row_group(k).total_byte_size for k in range(file.num_row_groups)]
    parts, first, in_part = [], 0, 0
    for k, group in enumerate(n_bytes, start=1):
        in_part += group
        if in_part >= size or k == len(n_bytes):
            parts.append((first, k))
            first, in_part = k, 0
    return parts


def documents(path: Path, fields: Fields, part: Range | None = None) -> Iterator[Document]:
    """One document per row. part: only these row groups.

    Raises InputError for a damaged file, or one without the text column.
    """
    with _opened(path) as file:
        first, end = part or (0, file.num_row_groups)
        number = sum(file.metadata.row_group(k).num_rows for k in range(first))
        wanted = {name for field in (fields.text, fields.domain) if field for name in (field, field.partition(".")[0])}
        columns = [name for name in file.schema_arrow.names if name in wanted]
        for batch in file.iter_batches(_ROWS, row_groups=list(range(first, end)), columns=columns or None):
            for record in batch.to_pylist():
                number += 1
                yield fields.document(record, f"{path}:{number}")


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as missing:
        raise MissingExtra("pyarrow", "parquet") from missing
    try:
        with ParquetFile(path) as file:
            yield file
    except (ArrowException, OSError) as error:
        cause = " ".join(str(error).split())
        raise InputError(f"{path}: not a complete Parquet file ({cause}). Copy it again.") from None
