"""From what a user names to its documents: a file, the files of a folder, or a Hugging Face dataset."""

import re
from collections.abc import Iterator
from pathlib import Path

from zerosum.errors import InputError
from zerosum.tokens import formats
from zerosum.tokens._document import Document, Fields
from zerosum.tokens.formats import huggingface, npy

_DATASET = re.compile(r"[\w.-]+(/[\w.-]+)?(:[\w.-]+){0,2}")
_FILES = (".txt", ".json", ".jsonl", ".gz", ".parquet", ".npy", ".bin")


def files_of(source: str) -> list[str]:
    """What is to be read, one after the other. Raises InputError for an empty folder."""
    path = Path(source)
    if not path.is_dir() or huggingface.is_saved(path):
        return [source]
    files = [file for file in sorted(path.rglob("*")) if file.is_file() and not file.name.startswith(".")]
    if not files:
        raise InputError(f"{source}: an empty folder. Give a folder of text or token files.")
    return [str(file) for file in files]


def documents(source: str, fields: Fields, domain: str | None) -> Iterator[Document]:
    """The documents of one file or dataset; `domain` where they themselves do not say."""
    path = Path(source)
    if not path.is_file():
        found = _dataset(source, fields)
    else:
        reader = next(one for one in formats.READERS if one.is_mine(path))
        found = reader.documents(path, fields)
    try:
        for one in found:
            yield Document(one.name, one.content, one.domain or domain, one.is_stream)
    except OSError as error:
        raise InputError(f"{source}: cannot be read ({error.strerror or error}). Check its permissions.") from None


def columns_of(files: list[str]) -> int | None:
    """The columns of the data where all of it is matrices of ids."""
    lengths = [
        npy.row_length(Path(file)) if Path(file).is_file() and npy.is_mine(Path(file)) else None for file in files
    ]
    known = [length for length in lengths if length is not None]
    return max(known) if len(known) == len(files) else None


def _dataset(source: str, fields: Fields) -> Iterator[Document]:
    is_saved = any(huggingface.is_saved(Path(one)) for one in (source, source.rpartition(":")[0]) if one)
    if not is_saved and (source.lower().endswith(_FILES) or not _DATASET.fullmatch(source)):
        raise InputError(f"{source}: no such file. Check the path.")
    return huggingface.documents(source, fields)
