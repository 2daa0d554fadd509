"""Token sequences of one length, with the document and domain of each token."""

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Int, Int32, Int64, Integer

from zerosum.errors import InputError

PADDING = -1


@dataclass(frozen=True)
class TokenSequences:
    """S sequences of L = T + 1 ids; position t predicts `ids[:, t + 1]` from `ids[:, : t + 1]`.

    ids: [S, L], at least two in each row; padding is -1 and stands only at the end of a row.
    document: [S] index of each sequence's document, or [S, T] index of each predicted token's document, -1 at padding.
    documents: names of the documents. domain_of: [D] index of each document's domain, empty where there are no domains.
    domains: names of the domains. options: how the sequences were made, to be recorded with results.
    """

    ids: Int64[np.ndarray, "S L"]
    document: Int[np.ndarray, "S *T"]
    documents: tuple[str, ...]
    domain_of: Int32[np.ndarray, " *D"] = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    domains: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the ids as 64-bit little-endian integers, row by row, in hexadecimal."""
        return hashlib.sha256(self.ids.astype("<i8").tobytes()).hexdigest()

    @property
    def predicted(self) -> Bool[np.ndarray, "S T"]:
        """[S, T] whether there is a token to predict: everywhere except at padding."""
        predicted: np.ndarray = self.ids[:, 1:] != PADDING
        return predicted

    @property
    def domain(self) -> Int32[np.ndarray, "S *T"] | None:
        """[S] or [S, T] index of the domain, as for `document`, -1 at padding; None where there are no domains."""
        if not self.domains:
            return None
        return np.where(self.document >= 0, self.domain_of[self.document], PADDING).astype(np.int32)

    def chosen(self, rows: Int[np.ndarray, " s"]) -> "TokenSequences":
        """Some of the sequences."""
        return replace(self, ids=self.ids[rows], document=self.document[rows])


def require_vocabulary(ids: Integer[np.ndarray, "..."], vocab_size: int | None, source: str) -> None:
    """Raise InputError for ids outside the model's vocabulary, which have no row in its embedding."""
    if vocab_size is None or not ids.size:
        return
    low, high = int(ids.min()), int(ids.max())
    if low < 0 or high >= vocab_size:
        raise InputError(
            f"{source}: token ids from {low} to {high}, but the model's vocabulary is 0 to {vocab_size - 1}. "
            + ("Pad only at the end of rows." if low < 0 else "Use the tokenizer that the model was trained with.")
        )


def token_ids(tokens: Any) -> Int64[np.ndarray, "S L"]:
    """The ids in any array-like (NumPy, a torch tensor on any device, lists), -1 where a sequence is padded at its end.

    Raises InputError where they are no rows of at least two integers.
    """
    try:
        ids = np.asarray(tokens.detach().cpu() if hasattr(tokens, "detach") else tokens)
    except (ValueError, TypeError, RuntimeError) as error:
        raise InputError("tokens: no array. Give rows of token ids, all of the same length.") from error
    if ids.ndim != 2 or ids.dtype.kind not in "iu" or not len(ids):
        raise InputError(
            f"tokens: shape {ids.shape} of {ids.dtype}. Give token ids as an array [sequences, length] of integers."
        )
    if ids.shape[1] < 2:
        raise InputError(f"sequences of {ids.shape[1]} token: nothing to predict. Give at least two to a sequence.")
    ids = ids.astype(np.int64)
    padding = ids == PADDING
    if (padding[:, :-1] & ~padding[:, 1:]).any():
        raise InputError(f"tokens: {PADDING} before an id. Pad sequences at their ends only.")
    return ids
