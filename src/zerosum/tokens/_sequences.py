"""Token ids in rows of one length, with the document and domain that each is from."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Int, Int32, Int64, Integer

from zerosum.errors import InputError

PADDING = -1


@dataclass(frozen=True)
class TokenSequences:
    """S sequences of L = T + 1 ids; position t predicts `ids[:, t + 1]` from `ids[:, : t + 1]`.

    ids: [S, L], -1 where a sequence is padded, which is only at its end; at least two ids stand in each row.
    document: [S] which document a sequence is from, or [S, T] which one each predicted token is from, -1 at padding.
    documents: their names. domain_of: [D] which domain each document is from, empty where there are none; domains:
    their names. options: how the sequences were made, for the record.
    """

    ids: Int64[np.ndarray, "S L"]
    document: Int[np.ndarray, "S *T"]
    documents: tuple[str, ...]
    domain_of: Int32[np.ndarray, " *D"] = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    domains: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def sha256(self) -> str:
        """Of the ids as 64-bit little-endian integers, row after row."""
        return hashlib.sha256(self.ids.astype("<i8").tobytes()).hexdigest()

    @property
    def predicted(self) -> Bool[np.ndarray, "S T"]:
        """[S, T] where there is a token to predict: everywhere but at padding."""
        predicted: np.ndarray = self.ids[:, 1:] != PADDING
        return predicted

    @property
    def domain(self) -> Int32[np.ndarray, "S *T"] | None:
        """Which domain each sequence or predicted token is from, -1 at padding; None where there are no domains."""
        if not self.domains:
            return None
        return np.where(self.document >= 0, self.domain_of[self.document], PADDING).astype(np.int32)


def require_vocabulary(ids: Integer[np.ndarray, "..."], vocab_size: int | None, source: str) -> None:
    """Refuse ids that the model does not know, before they index out of its embedding."""
    if vocab_size is None or not ids.size:
        return
    low, high = int(ids.min()), int(ids.max())
    if low < 0 or high >= vocab_size:
        raise InputError(
            f"{source}: token ids from {low} to {high}, but the model's vocabulary is 0 to {vocab_size - 1}. "
            + ("Pad at the end of rows alone." if low < 0 else "Use the tokenizer that the model was trained with.")
        )
