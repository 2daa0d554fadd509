"""Parquet: each row is a record with the text in one of its columns."""

from collections.abc import Iterator
from pathlib import Path

from zerosum.errors import InputError, MissingExtra
from zerosum.tokens._document import Document, Fields

_ROWS = 1_000  # rows read at a time


def matches(path: Path) -> bool:
    """Whether the file's name ends in .parquet or .pq."""
    return path.suffix.lower() in (".parquet", ".pq")


def documents(path: Path, fields: Fields) -> Iterator[Document]:
    """One document per row. Raises InputError for a damaged file, or one without the text column."""
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as missing:
        raise MissingExtra("pyarrow", "parquet") from missing
    number = 0
    try:
        with ParquetFile(path) as file:
            columns = [name for name in (fields.text, fields.domain) if name in file.schema_arrow.names]
            for batch in file.iter_batches(_ROWS, columns=columns or None):
                for record in batch.to_pylist():
                    number += 1
                    yield fields.document(record, f"{path}:{number}")
    except (ArrowException, OSError) as error:
        cause = " ".join(str(error).split())
        raise InputError(f"{path}: not a complete Parquet file ({cause}). Copy it again.") from None
