"""Opens folders of token files: memory-mapped ids, the bounds of documents, and the domain of each document."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int32, Int64, UInt16, UInt32

from zerosum.errors import InputError
from zerosum.tokens._held_out_windows import HeldOutDocument, document_order, held_out_windows
from zerosum.tokens._sequences import TokenSequences, require_vocabulary
from zerosum.tokens.files._index import (
    DATA_FILES,
    HELD_OUT,
    INDEX,
    NAMES,
    SPLITS,
    TOKENIZER,
    TRAIN,
    Amount,
    Index,
    read_index,
    split_files,
)

_CHUNK = 1 << 20  # documents checked at a time
_READ = 1 << 20  # bytes read at a time


@dataclass(frozen=True, eq=False)
class Split:
    """One split, memory-mapped from its files.

    ids: [n] token ids of all documents, one after the other. starts: [D + 1] where each document begins; document d is
    `ids[starts[d] : starts[d + 1]]`. domain: [D] index of the domain of each document.
    """

    ids: UInt16[np.ndarray, " n"] | UInt32[np.ndarray, " n"]
    starts: Int64[np.ndarray, " _"]
    domain: Int32[np.ndarray, " _"]


@dataclass(frozen=True, eq=False)
class TokenFiles:
    """A folder of token files. index: what `index.json` says. train, held_out: the two splits."""

    folder: Path
    index: Index
    train: Split
    held_out: Split

    @property
    def vocabulary(self) -> int:
        """Every id is below this number."""
        return self.index.vocabulary

    @property
    def domains(self) -> tuple[str, ...]:
        """Names of the domains, at least one."""
        return tuple(self.index.domains)

    @property
    def tokenizer(self) -> Path:
        """The folder of the tokenizer."""
        return self.folder / TOKENIZER

    @property
    def tokenizer_files(self) -> list[Path]:
        """The files of the tokenizer that were written with the others."""
        return [self.folder / name for name in self.index.files if name not in DATA_FILES]

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the digests of ids, bounds and domains: two folders with the same one train alike."""
        lines = "".join(f"{name} {self.index.files[name]}\n" for name in DATA_FILES if name != NAMES)
        return hashlib.sha256(lines.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """What `zerosum data --json` prints."""
        index = self.index
        splits = {name: asdict(Amount(index.split(name).tokens, index.split(name).documents)) for name in SPLITS}
        domains = [
            {"name": name, **{split: asdict(index.split(split).by_domain[number]) for split in SPLITS}}
            for number, name in enumerate(index.domains)
        ]
        tokenizer = asdict(index.tokenizer)
        return {
            "folder": str(self.folder),
            "vocabulary": index.vocabulary,
            "dtype": index.dtype,
            "end_of_document": index.end_of_document,
            **splits,
            "domains": domains,
            "empty": index.empty,
            "copies": index.copies,
            "overlap": {**asdict(index.overlap), "share": index.overlap.share.to_json()},
            "ngrams": index.ngrams and index.ngrams.to_json(),
            "tokenizer": tokenizer,
            "tokenizer_sha256": tokenizer.pop("sha256"),
            "sha256": self.sha256,
        }

    def held_out_tokens(self, n_sequences: int, length: int) -> TokenSequences:
        """Windows of `length` predicted tokens from held-out documents; see `zerosum.tokens.held_out_windows`.

        The order of the documents is a fixed random order. Raises InputError where the held-out text is too short, and
        for ids outside the vocabulary.
        """
        domains = self.domains if len(self.domains) > 1 else ()
        windows = held_out_windows(self._held_out_documents(), n_sequences, length, domains)
        require_vocabulary(windows.ids, self.vocabulary, str(self.folder / split_files(HELD_OUT)[0]))
        return windows

    def verify(self) -> None:
        """Read every file, and raise InputError where its SHA-256 is not that of the index."""
        for name, expected in self.index.files.items():
            if sha256_of(self.folder / name) != expected:
                raise InputError(f"{self.folder / name}: changed since it was written. Copy it again.")

    def _held_out_documents(self) -> Iterator[HeldOutDocument]:
        split = self.held_out
        names = self._held_out_names()
        for number in document_order(len(split.domain)):
            ids = split.ids[split.starts[number] : split.starts[number + 1]]
            yield HeldOutDocument(names[number], number, ids, int(split.domain[number]))

    def _held_out_names(self) -> list[str]:
        """Names of the held-out documents."""
        path = self.folder / NAMES
        try:
            with path.open(encoding="utf-8", errors="surrogateescape") as file:
                names = [str(json.loads(line)) for line in islice(file, len(self.held_out.domain) + 1)]
        except (OSError, ValueError, RecursionError):
            names = []
        if len(names) != len(self.held_out.domain):
            raise InputError(f"{path}: damaged: not a name for each held-out document. Copy it again.")
        return names


def is_token_folder(path: str | Path) -> bool:
    """Whether this is a folder that `zerosum data` has written."""
    index = Path(path) / INDEX
    try:
        with index.open("rb") as file:
            return b'"zerosum-tokens"' in file.read() and (Path(path) / split_files(TRAIN)[0]).is_file()
    except OSError:
        return False


def open_token_files(folder: str | Path) -> TokenFiles:
    """Open a folder that `zerosum data` has written. The ids stay on disk until they are used.

    Raises InputError where files are missing, short, or contradict the index. `TokenFiles.verify` finds changed bytes.
    """
    folder = Path(folder)
    index = read_index(folder)
    if missing := [name for name in DATA_FILES if name not in index.files]:
        raise InputError(f"{folder / INDEX}: damaged: no SHA-256 of {missing[0]}. Make the folder again.")
    for name in index.files:
        _require_inside(folder, name)
    return TokenFiles(folder, index, _open_split(folder, index, TRAIN), _open_split(folder, index, HELD_OUT))


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal. Raises InputError where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_READ):
                digest.update(block)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}). Copy it again.") from None
    return digest.hexdigest()


def _require_inside(folder: Path, name: str) -> None:
    """Raise InputError for a file that is not in the folder or in its `tokenizer/`, or is a link."""
    place, _, file = name.rpartition("/")
    if name in DATA_FILES or (place == TOKENIZER and file not in ("", ".", "..") and "\\" not in file):
        links = [path for path in (folder / TOKENIZER, folder / name) if path.is_symlink()]
        if links:
            raise InputError(f"{links[0]}: is a link, which is not followed. Put the file itself there.")
        return
    raise InputError(f"{folder / INDEX}: damaged: lists {name[:100]!r}, no file of this folder. Make the folder again.")


def _open_split(folder: Path, index: Index, split: str) -> Split:
    ids_name, starts_name, domain_name = split_files(split)
    facts = index.split(split)
    dtype = np.dtype(index.dtype).newbyteorder("<")
    ids = _open_ids(folder / ids_name, dtype, facts.tokens)
    starts = _open_array(folder / starts_name, "<i8", facts.documents + 1)
    domain = _open_array(folder / domain_name, "<i4", facts.documents)
    _require_bounds(folder / starts_name, starts, facts.tokens)
    for first in range(0, len(domain), _CHUNK):
        chunk = domain[first : first + _CHUNK]
        if chunk.min() < 0 or chunk.max() >= len(index.domains):
            raise InputError(f"{folder / domain_name}: damaged: a domain outside the index. Copy it again.")
    return Split(ids, starts, domain)


def _open_ids(path: Path, dtype: "np.dtype[Any]", n_tokens: int) -> Any:
    try:
        size = path.stat().st_size
        if size != n_tokens * dtype.itemsize:
            raise InputError(f"{path}: has {size} bytes, not {n_tokens * dtype.itemsize} (truncated?). Copy it again.")
        return np.memmap(path, dtype, "r") if n_tokens else np.empty(0, dtype)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: cannot be read ({' '.join(str(error).split())}). Copy it again.") from None


def _open_array(path: Path, dtype: str, length: int) -> Any:
    try:
        array = np.load(path, mmap_mode="r" if length else None, allow_pickle=False)
    except Exception as error:  # noqa: BLE001 - a damaged header can lead to an error of almost any type
        cause = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: not a complete array ({cause}). Copy it again.") from None
    if not isinstance(array, np.ndarray) or array.dtype != np.dtype(dtype) or array.shape != (length,):
        raise InputError(f"{path}: damaged: not {length} numbers of type {dtype}. Copy it again.")
    return array


def _require_bounds(path: Path, starts: Int64[np.ndarray, " _"], n_tokens: int) -> None:
    """Raise InputError unless documents are not empty, begin at 0 and end at the last token."""
    rising = all((np.diff(starts[at : at + _CHUNK + 1]) > 0).all() for at in range(0, len(starts) - 1, _CHUNK))
    if not rising or starts[0] != 0 or starts[-1] != n_tokens:
        raise InputError(f"{path}: damaged: not the bounds of documents of {n_tokens} tokens. Copy it again.")
