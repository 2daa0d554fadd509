"""The documents in the sources that users name: files, folders, and Hugging Face datasets."""

import re
import warnings
from codecs import getincrementaldecoder
from collections.abc import Iterator, Sequence
from glob import glob
from pathlib import Path
from types import ModuleType

from zerosum.errors import InputError, InputWarning
from zerosum.tokens import formats
from zerosum.tokens._document import Document, Fields, Range
from zerosum.tokens.formats import huggingface, npy

_DATASET_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?(:[\w.-]+){0,2}")
_PATTERN = re.compile(r"[*?\[]")
_LOOKED_AT = 1 << 16  # bytes
_FILE_SUFFIXES = (".txt", ".json", ".jsonl", ".gz", ".parquet", ".npy", ".bin")


def files_of(source: str) -> list[str]:
    """The files of a folder or of a pattern such as `src/**/*.py`, or the source itself if it is a file or dataset.

    Files that are not UTF-8 text are left out, with a warning of how many (a folder of source code has compiled files
    in it), and so are hidden files of a folder.
    Raises InputError for a folder without a file to read, and a pattern that nothing matches.
    """
    path = Path(source)
    if _PATTERN.search(source) and not path.exists():
        found = glob(source, recursive=True)  # noqa: PTH207 (Path.glob takes no absolute pattern)
        matches = sorted(match for match in found if Path(match).is_file())
        if not matches:
            raise InputError(f"{source}: no file matches this pattern. Check the path.")
        return _readable(source, matches)
    if not path.is_dir() or huggingface.is_saved(path):
        return [source]
    files = [file for file in sorted(path.rglob("*")) if file.is_file() and not _hidden(file.relative_to(path))]
    if not files:
        raise InputError(f"{source}: an empty folder. Give a folder of text or token files.")
    return _readable(source, [str(file) for file in files])


def _readable(source: str, files: Sequence[str]) -> list[str]:
    readable = [file for file in files if _is_readable(Path(file))]
    if not readable:
        raise InputError(f"{source}: none of its {len(files)} files is UTF-8 text. Give text or token files.")
    if len(readable) < len(files):
        number = len(files) - len(readable)
        message = f"{source}: {number} of {len(files)} files are not UTF-8 text, and are left out"
        warnings.warn(message, InputWarning, stacklevel=3)
    return readable


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _is_readable(path: Path) -> bool:
    """False where the file's name says nothing of its format, and its first 64 KiB are not UTF-8."""
    if _reader_of(path) is not formats.text:
        return True
    try:
        with path.open("rb") as file:
            start = file.read(_LOOKED_AT)
        getincrementaldecoder("utf-8")().decode(start, final=len(start) < _LOOKED_AT)
    except OSError:  # whoever reads the file says why
        return True
    except UnicodeDecodeError:
        return False
    return True


def domain_names(sources: Sequence[str]) -> list[str]:
    """What to call the documents of each source: the name of the file or folder, of a pattern that of the folder before
    its first `*`; the source as it was given where names are equal.

    >>> domain_names(["lib/email/**/*.py", "lib/json/**/*.py", "a/x.txt", "b/x.txt"])
    ['email', 'json', 'a/x.txt', 'b/x.txt']
    """
    names = [_name(source) for source in sources]
    return [name if names.count(name) == 1 else source for name, source in zip(names, sources, strict=True)]


def _name(source: str) -> str:
    path = Path(source)
    if path.exists():
        return path.name or source
    if (pattern := _PATTERN.search(source)) is None:
        return source
    return Path(source[: pattern.start()].rpartition("/")[0]).name or source


def ranges(source: str, size: int) -> list[Range]:
    """Parts of about `size` bytes in which a file or dataset can be read, in the order of its documents."""
    path = Path(source)
    try:
        parts: list[Range] = _reader_of(path).ranges(path, size) if path.is_file() else huggingface.ranges(source, size)
    except OSError as error:
        raise InputError(f"{source}: cannot be read ({error.strerror or error}). Check its permissions.") from None
    return parts


def documents(source: str, fields: Fields, domain: str | None, part: Range | None = None) -> Iterator[Document]:
    """The documents of a file or dataset, or those of a part that `ranges` names.

    domain: of documents whose record states none.
    """
    path = Path(source)
    if not path.is_file():
        require_dataset(source)
        stored = huggingface.documents(source, fields, part)
    else:
        stored = _reader_of(path).documents(path, fields, part)
    try:
        for document in stored:
            yield Document(document.name, document.content, document.domain or domain, document.is_stream)
    except OSError as error:
        raise InputError(f"{source}: cannot be read ({error.strerror or error}). Check its permissions.") from None


def columns_of(files: list[str]) -> int | None:
    """The number of columns where all files are matrices of ids (of the widest matrix), else None."""
    lengths = [
        npy.row_length(Path(file)) if Path(file).is_file() and npy.matches(Path(file)) else None for file in files
    ]
    known = [length for length in lengths if length is not None]
    return max(known) if len(known) == len(files) else None


def _reader_of(path: Path) -> ModuleType:
    return next(reader for reader in formats.READERS if reader.matches(path))


def require_dataset(source: str) -> None:
    """Raise InputError where the source cannot be a dataset: a file that does not exist."""
    is_saved = any(huggingface.is_saved(Path(path)) for path in (source, source.rpartition(":")[0]) if path)
    if not is_saved and (source.lower().endswith(_FILE_SUFFIXES) or not _DATASET_NAME.fullmatch(source)):
        raise InputError(f"{source}: no such file. Check the path.")
