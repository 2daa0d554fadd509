"""Encodes the documents of a piece: short texts many at a time, long ones in blocks, rows of ids as they are."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
from jaxtyping import Integer

from zerosum.errors import InputError
from zerosum.tokens._document import Document, Fields, Range
from zerosum.tokens._ids import require_no_words
from zerosum.tokens._sequences import require_vocabulary
from zerosum.tokens.files._blocks import text_blocks
from zerosum.tokens.files._pieces import PieceWriter
from zerosum.tokens.files._plan import Part
from zerosum.tokens.files._tokenizers import EncodeTexts, TokenizerChoice

_BATCH_CHARACTERS = 1 << 20
_BATCH_TEXTS = 1_000
_IDS = 1 << 20  # ids copied at a time

Ids = Integer[np.ndarray, " _"]


@dataclass
class PieceEncoder:
    """Encodes the documents of a piece into its files.

    Each document is written with a hash of its content: SHA-256 of its text in UTF-8, or of its ids as 64-bit integers.
    """

    choice: TokenizerChoice
    fields: Fields
    encode: EncodeTexts
    writer: PieceWriter
    _waiting: list[tuple[Document, str]] = field(default_factory=list)
    _n_characters: int = 0

    def encode_piece(self, piece: Sequence[Part]) -> None:
        """Encode all documents of the piece, in order."""
        for part in piece:
            for document in part.documents(self.fields):
                content = document.content
                if isinstance(content, np.ndarray):
                    self._flush()
                    bounds = part.range if document.is_stream else None
                    for name, ids in _documents_in(document.name, content, bounds, self.choice.eos_id):
                        self._write_ids(document, name, ids)
                else:
                    self._take_text(document, content)
        self._flush()

    def _take_text(self, document: Document, content: str | Iterator[bytes]) -> None:
        blocks = text_blocks([content.encode()] if isinstance(content, str) else content, document.name)
        first, second = next(blocks, ""), next(blocks, None)
        if second is not None:
            self._flush()
            self._write_long(document, chain([first, second], blocks))
            return
        self._waiting.append((document, first))
        self._n_characters += len(first)
        if self._n_characters >= _BATCH_CHARACTERS or len(self._waiting) >= _BATCH_TEXTS:
            self._flush()

    def _flush(self) -> None:
        """Encode the short texts that wait."""
        waiting, self._waiting, self._n_characters = self._waiting, [], 0
        encoded = self._encoded([text for _, text in waiting], [document.name for document, _ in waiting])
        for (document, text), ids in zip(waiting, encoded, strict=True):
            self.writer.add(document.name, document.domain, self._framed([ids]), hashlib.sha256(text.encode()))

    def _write_long(self, document: Document, blocks: Iterable[str]) -> None:
        digest = hashlib.sha256()

        def encoded() -> Iterator[Ids]:
            for text in blocks:
                digest.update(text.encode())
                yield from self._encoded([text], [document.name])

        self.writer.add(document.name, document.domain, self._framed(encoded()), digest)

    def _encoded(self, texts: list[str], names: list[str]) -> list[Ids]:
        try:
            all_ids = self.encode(texts) if texts else []
        except Exception as error:
            if len(texts) > 1:  # find the text
                return [self._encoded([text], [name])[0] for text, name in zip(texts, names, strict=True)]
            cause = " ".join(str(error).split())[:200]
            raise InputError(
                f"{names[0]}: the tokenizer fails on this text ({cause}). Remove it, or give another --tokenizer."
            ) from error
        for text, name, ids in zip(texts, names, all_ids, strict=True):
            if not len(ids):
                require_no_words(text, name)
        return all_ids

    def _framed(self, blocks: Iterable[Ids]) -> Iterator[Ids]:
        """The ids of a text between its special tokens; nothing where the text has no ids."""
        is_begun = False
        for ids in blocks:
            if len(ids) and not is_begun:
                yield from _single(self.choice.bos_id)
                is_begun = True
            yield ids
        if is_begun:
            yield from _single(self.choice.end_id)

    def _write_ids(self, document: Document, name: str, ids: Ids) -> None:
        digest = hashlib.sha256()

        def blocks() -> Iterator[Ids]:
            for first in range(0, len(ids), _IDS):
                block = ids[first : first + _IDS]
                require_vocabulary(block, self.choice.vocabulary, name)
                digest.update(block.astype("<i8").tobytes())
                yield block

        self.writer.add(name, document.domain, blocks(), digest)


def _single(token: int | None) -> list[Any]:
    return [] if token is None else [np.array([token])]


def _documents_in(stream: str, ids: Ids, part: Range | None, end_id: int | None) -> Iterator[tuple[str, Ids]]:
    """Name and ids of each document of a stream that begins in a part of it. part: None for a single document.

    A document ends with `end_id`, which belongs to it. Without such an id, the stream is a single document.
    """
    if part is None:
        yield stream, ids
        return
    first, end = part
    start = 0 if first == 0 else _after_end(ids, first - 1, end_id)
    while start < min(end, len(ids)):
        following = _after_end(ids, start, end_id)
        yield (stream if (start, following) == (0, len(ids)) else f"{stream}:token {start}"), ids[start:following]
        start = following


def _after_end(ids: Ids, start: int, end_id: int | None) -> int:
    """The position after the first `end_id` at or after `start`; the length where there is none."""
    for first in range(start, len(ids) if end_id is not None else 0, _IDS):
        places = np.flatnonzero(ids[first : first + _IDS] == end_id)
        if len(places):
            return first + int(places[0]) + 1
    return len(ids)
