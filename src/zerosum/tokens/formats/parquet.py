"""Parquet: each row a record, one of its columns the text."""

from collections.abc import Iterator
from pathlib import Path

from zerosum.errors import InputError, MissingExtra
from zerosum.tokens._document import Document, Fields

_ROWS = 1_000  # read at a time


def is_mine(path: Path) -> bool:
    """By its name's ending."""
    return path.suffix.lower() in (".parquet", ".pq")


def documents(path: Path, fields: Fields) -> Iterator[Document]:
    """A document for each row. Raises InputError for a damaged file or one without the column."""
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as missing:
        raise MissingExtra("pyarrow", "parquet") from missing
    number = 0
    try:
        with ParquetFile(path) as file:
            known = file.schema_arrow.names
            wanted = [name for name in (fields.text, fields.domain) if name in known]
            for batch in file.iter_batches(_ROWS, columns=wanted or None):
                for record in batch.to_pylist():
                    number += 1
                    yield fields.document(record, f"{path}:{number}")
    except (ArrowException, OSError) as error:
        cause = " ".join(str(error).split())
        raise InputError(f"{path}: no whole Parquet file ({cause}). Copy it again.") from None
