"""Cuts the sources of a command into pieces of work: parts of files, of about the same size, always the same ones."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from zerosum.tokens._document import Document, Fields, Range
from zerosum.tokens._sources import documents, domain_names, files_of, ranges, require_dataset
from zerosum.tokens.formats import huggingface

PIECE_BYTES = 1 << 24  # of sources; a killed process loses the work on one piece
_MOST_PARTS = 1_000  # small files in a piece


@dataclass(frozen=True)
class Part:
    """A range of a file or dataset. n_bytes: about so many bytes of its source. domain: where records state none.

    state: size and time of change of its file.
    """

    source: str
    range: Range
    n_bytes: int
    domain: str
    state: str

    def documents(self, fields: Fields) -> Iterator[Document]:
        """The documents of this part; a stream comes whole, and its range is for whoever splits it."""
        yield from documents(self.source, fields, self.domain, self.range)


@dataclass(frozen=True)
class Plan:
    """pieces: the parts of each, in the order of the documents."""

    pieces: tuple[tuple[Part, ...], ...]

    @cached_property
    def names(self) -> list[str]:
        """Names of the pieces: hashes of their parts, so that the work on a file that changes is done again."""
        return [hashlib.sha256(repr(piece).encode()).hexdigest()[:32] for piece in self.pieces]


def plan(data: Sequence[str], piece_bytes: int = PIECE_BYTES) -> Plan:
    """Pieces of all sources. Raises InputError for what does not exist or cannot be read.

    Each source given is the domain of its documents, unless their records state another.
    """
    parts: list[Part] = []
    for given, domain in zip(data, map(as_unicode, domain_names(data)), strict=True):
        for source in map(_with_split, files_of(given)):
            parts += _parts(source, piece_bytes, domain)
    return Plan(tuple(_pieces(parts, piece_bytes)))


def as_unicode(name: str) -> str:
    """The name of a file, with an escape for each byte that is not UTF-8, which JSON cannot hold."""
    return name.encode(errors="backslashreplace").decode()


def _with_split(source: str) -> str:
    if Path(source).is_file():
        return source
    require_dataset(source)
    return huggingface.training_split(source)


def _parts(source: str, piece_bytes: int, domain: str) -> list[Part]:
    found = ranges(source, piece_bytes)
    path = Path(source)
    if not path.is_file():
        return [Part(source, part, piece_bytes, domain, "") for part in found]
    facts = path.stat()
    state = f"{facts.st_size} {facts.st_mtime_ns}"
    return [Part(source, part, facts.st_size // len(found), domain, state) for part in found]


def _pieces(parts: Sequence[Part], piece_bytes: int) -> Iterator[tuple[Part, ...]]:
    piece: list[Part] = []
    n_bytes = 0
    for part in parts:
        piece.append(part)
        n_bytes += part.n_bytes
        if n_bytes >= piece_bytes // 2 or len(piece) >= _MOST_PARTS:
            yield tuple(piece)
            piece, n_bytes = [], 0
    if piece:
        yield tuple(piece)
