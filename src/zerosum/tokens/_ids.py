"""Documents -> their token ids, remembering which documents came by."""

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
_CHARACTERS = 32  # no text has so many to a token, on average


@dataclass
class Ids:
    """How documents become ids; after `of_all`, the names and domains of those that did.

    joined: documents will be packed one after the other. needed: ids that are enough, of all documents; None means all.
    """

    tokenizer: Any
    joined: bool
    bos: Bos
    vocab_size: int | None
    needed: int | None
    documents: list[str] = field(default_factory=list)
    domains: list[str | None] = field(default_factory=list)
    too_short: int = 0
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

    def of_all(self, documents: Iterable[Document]) -> Iterator[Int64[np.ndarray, " n"]]:
        """Ids of each document; one without a token to predict is left out and counted."""
        fewest = 1 if self.joined else 2
        for document in documents:
            for name, ids in self._parts(document):
                if len(ids) < fewest:
                    self.too_short += 1
                    continue
                require_vocabulary(ids, self.vocab_size, name)
                self.documents.append(name)
                self.domains.append(document.domain)
                yield ids

    @property
    def added_after(self) -> int | None:
        """The id that ends each text: none where the next begins with the same, or documents are not joined."""
        return None if not self.joined or self.eos_id == self.bos_id else self.eos_id

    def _parts(self, document: Document) -> Iterator[tuple[str, Int64[np.ndarray, " n"]]]:
        if isinstance(document.content, str):
            yield document.name, self._of_text(document.content, document.name)
            return
        ids = document.content if self.needed is None else document.content[: self.needed]
        starts = [0]
        if document.is_stream and self.eos_id is not None:
            starts += [int(end) + 1 for end in np.flatnonzero(ids == self.eos_id) if end + 1 < len(ids)]
        for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(ids)], strict=True), start=1):
            name = document.name if len(starts) == 1 else f"{document.name}:{number}"
            yield name, ids[start:end].astype(np.int64)

    def _of_text(self, text: str, name: str) -> Int64[np.ndarray, " n"]:
        if self.tokenizer is None:
            raise InputError(
                f"{name}: text, and there is no tokenizer beside the model. Name the one that it was trained with: "
                "--tokenizer FOLDER."
            )
        if not text:
            return np.empty(0, np.int64)
        before = [] if self.bos_id is None else [self.bos_id]
        after = [] if self.added_after is None else [self.added_after]
        ids = self._encoded(text)
        if not len(ids) and len(text.strip()) > _CHARACTERS:
            raise InputError(
                f"{name}: the tokenizer gives no token for its {len(text):,} characters, so it is empty or damaged. "
                "Name the one that the model was trained with: --tokenizer FOLDER."
            )
        return np.concatenate([np.array(before, np.int64), ids, np.array(after, np.int64)])

    def _encoded(self, text: str) -> Int64[np.ndarray, " n"]:
        """Ids of a text, or of no more of a long one than is needed: its last ids there may be cut short."""
        if self.needed is not None and len(text) > (enough := _CHARACTERS * self.needed + 1_000):
            begun = encode(self.tokenizer, text[:enough])
            if len(begun) > self.needed + 100:
                return begun[: self.needed]
        return encode(self.tokenizer, text)
