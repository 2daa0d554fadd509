"""The source files of Python's standard library, or of another folder, one token for each byte."""

from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from zerosum.tokens import BYTE_VOCABULARY, END_OF_DOCUMENT, TokenSequences, byte_tokenizer
from zerosum.tokens.ngrams import NgramLadder, ladder_of_documents
from zerosum.training.corpus import Batch, Corpus, CorpusSettings
from zerosum.training.text import Text, held_out_documents, held_out_tokens, read_text, windows


class PythonSettings(CorpusSettings):
    """folder: contains the `.py` files; None means the standard library of the running Python.

    held_out_share: share of the files that is held out from training, in (0, 1).
    """

    kind: str = "python"
    folder: str | None = None
    held_out_share: float = Field(default=0.15, gt=0, lt=1)

    def open(self) -> Corpus:
        """Read all files, once for the same settings."""
        return _open(self)


class PythonCorpus(Corpus):
    """Source files as bytes; batches are windows at random positions. text: all files, split."""

    vocabulary = BYTE_VOCABULARY
    end_of_document = END_OF_DOCUMENT

    def __init__(self, text: Text):
        self.text = text

    @property
    def facts(self) -> dict[str, Any]:
        """Hash of all tokens, and counts."""
        return {
            "sha256": self.text.sha256,
            "train_tokens": len(self.text.train),
            "train_documents": len(self.text.train_names),
            "held_out_documents": len(self.text.held_out_names),
        }

    @cached_property
    def ngrams(self) -> NgramLadder | None:
        """Of the text; computed once, in about a second for the standard library."""
        return ladder_of_documents(self.text.train, held_out_documents(self.text), self.vocabulary)

    def batch(self, seed: int, step: int, sequences: int, length: int) -> Batch:
        """See `windows`."""
        ids = windows(self.text.train, seed, step, sequences=sequences, length=length)
        return Batch(ids, np.zeros(sequences, dtype=np.int64))

    def held_out(self, sequences: int, length: int) -> TokenSequences:
        """See `held_out_tokens`."""
        return held_out_tokens(self.text, sequences, length)

    def save_tokenizer(self, folder: Path) -> None:
        """Write the byte tokenizer."""
        byte_tokenizer().save_pretrained(folder)


@lru_cache(maxsize=4)
def _open(settings: PythonSettings) -> PythonCorpus:
    return PythonCorpus(read_text(settings.folder, settings.held_out_share))


CORPUS = PythonSettings
