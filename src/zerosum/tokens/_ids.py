"""Encodes documents as token ids, and records the names and domains of the encoded documents."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Int64

from zerosum.errors import InputError
from zerosum.tokens._document import Document
from zerosum.tokens._sequences import require_vocabulary
from zerosum.tokens._tokenizer import adds_bos, encode

Bos = Literal["auto", "yes", "no"]
_MOST_CHARACTERS = 32  # characters per token that no text exceeds on average


def require_no_words(text: str, name: str) -> None:
    """Raise InputError for a text that has words and got no token from a tokenizer."""
    if len(text.strip()) > _MOST_CHARACTERS:
        raise InputError(
            f"{name}: the tokenizer gives no token for its {len(text):,} characters, so it is empty or damaged. "
            "Name the tokenizer that the model was trained with: --tokenizer FOLDER."
        )


@dataclass
class DocumentEncoder:
    """Encodes documents as token ids.

    pack: the documents will be packed, so each text ends with the end-of-text token. max_ids: the ids needed from all
    documents together, beyond which a long document need not be encoded; None means all. After `encode_all`,
    `documents` and `domains` are those of the encoded documents, and `n_too_short` counts the documents left out.
    """

    tokenizer: Any
    pack: bool
    bos: Bos
    vocab_size: int | None
    max_ids: int | None
    documents: list[str] = field(default_factory=list)
    domains: list[str | None] = field(default_factory=list)
    n_too_short: int = 0
    bos_id: int | None = None
    eos_id: int | None = None

    def __post_init__(self) -> None:
        if self.tokenizer is None:
            return
        self.eos_id = self.tokenizer.eos_token_id
        if self.bos == "yes" and self.tokenizer.bos_token_id is None:
            raise InputError("--bos yes: this tokenizer has no BOS token. Use --bos no.")
        if self.bos == "yes" or (self.bos == "auto" and adds_bos(self.tokenizer)):
            self.bos_id = self.tokenizer.bos_token_id

    def encode_all(self, documents: Iterable[Document]) -> Iterator[Int64[np.ndarray, " n"]]:
        """The ids of each document. A document without a token to predict is left out and counted."""
        fewest = 1 if self.pack else 2
        for document in documents:
            for name, ids in self._encode(document):
                if len(ids) < fewest:
                    self.n_too_short += 1
                    continue
                require_vocabulary(ids, self.vocab_size, name)
                self.documents.append(name)
                self.domains.append(document.domain)
                yield ids

    @property
    def end_id(self) -> int | None:
        """The id added after each text; None where documents are not packed, or texts begin with the same id."""
        return None if not self.pack or self.eos_id == self.bos_id else self.eos_id

    def _encode(self, document: Document) -> Iterator[tuple[str, Int64[np.ndarray, " n"]]]:
        """Name and ids of a document; of each document in a stream."""
        content = document.content
        if isinstance(content, str):
            yield document.name, self._encode_text(content, document.name)
            return
        if not isinstance(content, np.ndarray):
            raise TypeError("documents are read whole here")
        ids = content if self.max_ids is None else content[: self.max_ids]
        starts = [0]
        if document.is_stream and self.eos_id is not None:
            starts += [int(end) + 1 for end in np.flatnonzero(ids == self.eos_id) if end + 1 < len(ids)]
        for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(ids)], strict=True), start=1):
            name = document.name if len(starts) == 1 else f"{document.name}:{number}"
            yield name, ids[start:end].astype(np.int64)

    def _encode_text(self, text: str, name: str) -> Int64[np.ndarray, " n"]:
        """Ids of a text, with the BOS and end-of-text tokens that it gets."""
        if self.tokenizer is None:
            raise InputError(
                f"{name}: a text, and there is no tokenizer beside the model. Name the tokenizer that the model was "
                "trained with: --tokenizer FOLDER."
            )
        if not text:
            return np.empty(0, np.int64)
        before = [] if self.bos_id is None else [self.bos_id]
        after = [] if self.end_id is None else [self.end_id]
        ids = self._encode_start(text)
        if not len(ids):
            require_no_words(text, name)
        return np.concatenate([np.array(before, np.int64), ids, np.array(after, np.int64)])

    def _encode_start(self, text: str) -> Int64[np.ndarray, " n"]:
        """Ids of the text; of a long text, only its first `max_ids` ids.

        The cut in the characters can change the last ids before it, so 100 ids more are required than are used.
        """
        if self.max_ids is not None and len(text) > (n_characters := _MOST_CHARACTERS * self.max_ids + 1_000):
            ids = encode(self.tokenizer, text[:n_characters])
            if len(ids) > self.max_ids + 100:
                return ids[: self.max_ids]
        return encode(self.tokenizer, text)
