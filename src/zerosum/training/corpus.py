"""What every source of training data gives: batches by step, held-out sequences, a tokenizer. Needs no torch."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from zerosum.tokens import TokenSequences
from zerosum.tokens.ngrams import NgramLadder
from zerosum.training.settings import Kind


@dataclass(frozen=True)
class Batch:
    """The batch of one update, of all processes together.

    ids: [S, T + 1] token ids, -1 is padding at the end of a row. domain: [S] index of each sequence's domain, 0 where
    there are no domains.
    """

    ids: Int64[np.ndarray, "S L"]
    domain: Int64[np.ndarray, " S"]


class Corpus(ABC):
    """Text to train on and text that is held out, as token ids."""

    @property
    @abstractmethod
    def vocabulary(self) -> int:
        """Number of token ids; every id is below it."""

    @property
    @abstractmethod
    def end_of_document(self) -> int | None:
        """Id of the token that ends a document; None where there is none."""

    @property
    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """Hash and sizes of the data. Recorded with the run, which continues only where they are equal."""

    @property
    def domains(self) -> tuple[str, ...]:
        """Names of the domains that `Batch.domain` counts; empty where there are none."""
        return ()

    @property
    def ngrams(self) -> NgramLadder | None:
        """Losses of n-gram models of the training text on held-out text; None where they are not known."""
        return None

    @abstractmethod
    def batch(self, seed: int, step: int, sequences: int, length: int) -> Batch:
        """The batch of the update from `step` to `step + 1`; a function of the arguments alone."""

    @abstractmethod
    def held_out(self, sequences: int, length: int) -> TokenSequences:
        """`sequences` sequences of `length` predicted tokens from held-out documents; always the same.

        Raises InputError where there are too few.
        """

    @abstractmethod
    def save_tokenizer(self, folder: Path) -> None:
        """Write the tokenizer into a folder, as transformers does; nothing where there is none."""


class CorpusSettings(Kind):
    """Settings of a source of training data; every source subclasses this and adds its own."""

    @abstractmethod
    def open(self) -> Corpus:
        """The data. Opened once for the same settings. Raises InputError where it cannot be read."""
