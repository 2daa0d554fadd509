"""A folder of token files that `zerosum data` has written."""

import shutil
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from zerosum.errors import InputError
from zerosum.tokens import TokenSequences
from zerosum.tokens.files import TokenFiles, epoch_batch, open_token_files
from zerosum.tokens.ngrams import NgramLadder
from zerosum.training.corpus import Batch, Corpus, CorpusSettings


class TokensSettings(CorpusSettings):
    """folder: of the token files.

    packing: "packed": sequences follow each other in the row of all documents and cross their bounds; "cut": each has
    tokens of a single document, and is padded at its end.
    """

    kind: str = "tokens"
    folder: str
    packing: Literal["packed", "cut"] = "packed"

    def open(self) -> Corpus:
        """Map the files into memory, once for the same settings."""
        return _open(self)


class TokensCorpus(Corpus):
    """Token files; every sequence comes once in each epoch."""

    def __init__(self, files: TokenFiles, packing: Literal["packed", "cut"]):
        self._files = files
        self._packing: Literal["packed", "cut"] = packing

    @property
    def vocabulary(self) -> int:
        """Every id is below it."""
        return self._files.vocabulary

    @property
    def end_of_document(self) -> int | None:
        """The tokenizer's end-of-text token."""
        return self._files.index.end_of_document

    @property
    def facts(self) -> dict[str, Any]:
        """Hash of all files, and counts."""
        index = self._files.index
        return {
            "sha256": self._files.sha256,
            "train_tokens": index.train.tokens,
            "train_documents": index.train.documents,
            "held_out_documents": index.held_out.documents,
        }

    @property
    def domains(self) -> tuple[str, ...]:
        """Of the token files."""
        return self._files.domains

    @property
    def ngrams(self) -> NgramLadder | None:
        """As `zerosum data` has written them down."""
        return self._files.index.ngrams

    def batch(self, seed: int, step: int, sequences: int, length: int) -> Batch:
        """See `epoch_batch`. Raises InputError for ids outside the vocabulary: the file is damaged."""
        ids, domain = epoch_batch(self._files.train, seed, step, sequences, length, self._packing)
        if ids.max() >= self.vocabulary:
            raise InputError(
                f"{self._files.folder}: damaged: id {ids.max()} in the training ids, outside the vocabulary of "
                f"{self.vocabulary}. Run the command of zerosum data again: it checks every file."
            )
        return Batch(ids, domain)

    def held_out(self, sequences: int, length: int) -> TokenSequences:
        """See `TokenFiles.held_out_tokens`."""
        return self._files.held_out_tokens(sequences, length)

    def save_tokenizer(self, folder: Path) -> None:
        """Copy the tokenizer."""
        for file in self._files.tokenizer_files:
            shutil.copyfile(file, folder / file.name)


@lru_cache(maxsize=4)
def _open(settings: TokensSettings) -> TokensCorpus:
    return TokensCorpus(open_token_files(settings.folder), settings.packing)


CORPUS = TokensSettings
