"""The files of a finished piece: ids and, for each document, length, hash, domain and name."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Int32, Int64, Integer, UInt64

from zerosum.atomic import new_file
from zerosum.errors import InputError
from zerosum.tokens.files._index import MOST_DOMAINS
from zerosum.tokens.files._stored_ids import StoredIds

Facts = dict[str, Any]


@dataclass
class PieceWriter:
    """Writes the ids of documents one after the other into a file, and remembers the facts of each document."""

    file: BinaryIO
    dtype: "np.dtype[Any]"
    lengths: list[int] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    domain: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    domain_codes: dict[str, int] = field(default_factory=dict)
    n_empty: int = 0

    def add(self, name: str, domain: str | None, blocks: Iterable[Integer[np.ndarray, " _"]], digest: Any) -> None:
        """Write a document. digest: hash object of its content, complete when all blocks have been asked for."""
        n_ids = 0
        for ids in blocks:
            self.file.write(ids.astype(self.dtype).tobytes())
            n_ids += len(ids)
        if not n_ids:
            self.n_empty += 1
            return
        self.lengths.append(n_ids)
        self.digests.append(digest.digest()[:16])
        self.domain.append(self.domain_codes.setdefault(domain or "unnamed", len(self.domain_codes)))
        self.names.append(name)
        if len(self.domain_codes) > MOST_DOMAINS:
            raise too_many_domains(name)

    @property
    def facts(self) -> Facts:
        """What the record of the finished piece says."""
        return {"tokens": sum(self.lengths), "empty": self.n_empty, "domains": list(self.domain_codes)}


def too_many_domains(name: str) -> InputError:
    """The error for a field whose values are no domains."""
    return InputError(f"{name}: more than {MOST_DOMAINS:,} domains. Name a field with fewer values with --domain.")


@contextmanager
def new_piece(folder: Path, piece: str, dtype: "np.dtype[Any]") -> Iterator[PieceWriter]:
    """A writer for the files of a piece, which appear when all of it is written."""
    with new_file(folder / f"{piece}.bin") as ids, ids.open("wb") as file:
        writer = PieceWriter(file, dtype)
        yield writer
    digests = np.frombuffer(b"".join(writer.digests), "<u8").reshape(-1, 2)
    with new_file(folder / f"{piece}.npz") as part, part.open("wb") as file:
        np.savez(file, lengths=np.array(writer.lengths, "<i8"), digests=digests, domain=np.array(writer.domain, "<i4"))
    with new_file(folder / f"{piece}.names") as part, part.open("w", encoding="ascii") as names:
        names.writelines(json.dumps(name) + "\n" for name in writer.names)


@dataclass(frozen=True)
class Piece:
    """A finished piece. lengths [D], digests [D, 2], domain [D]: of its documents, domain by the piece's own codes."""

    folder: Path
    name: str
    lengths: Int64[np.ndarray, " D"]
    digests: UInt64[np.ndarray, "D 2"]
    domain: Int32[np.ndarray, " D"]

    def ids(self, dtype: "np.dtype[Any]") -> StoredIds:
        """All ids."""
        return StoredIds(self.folder / f"{self.name}.bin", dtype)

    def names(self) -> Iterator[str]:
        """Names of the documents, each as JSON with the end of its line."""
        with (self.folder / f"{self.name}.names").open(encoding="ascii") as lines:
            yield from lines


def read_piece(folder: Path, piece: str) -> Piece:
    """Read the facts of a finished piece."""
    with np.load(folder / f"{piece}.npz", allow_pickle=False) as arrays:
        return Piece(folder, piece, arrays["lengths"], arrays["digests"], arrays["domain"])
