"""The documents that gained and lost most between two checkpoints, token by token.

Letters: S sequences, T predicted positions, n tokens of one document, in reading order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from zerosum.estimate import number_or_reason
from zerosum.interference.labelled._change import Change
from zerosum.interference.labelled._moved import Moved
from zerosum.interference.labelled._text import TokenText

LONGEST = 500  # tokens shown of one document


@dataclass(frozen=True)
class TokenChange:
    """One token of a document. change: nats, positive: worse; NaN where none is known. position: -1 before the first
    prediction. text: as it stands in the document, untrusted; None without a tokenizer."""

    id: int
    text: str | None
    sequence: int
    position: int
    change: float


@dataclass(frozen=True)
class DocumentChange:
    """A document, or the stretch of it that moved most. net: its whole change in nats over N predictions.

    parts: its tokens, one row for each sequence that they are from. start: how many of its n_tokens come before them.
    """

    name: str
    net: float
    N: int
    parts: tuple[tuple[TokenChange, ...], ...]
    start: int
    n_tokens: int

    @property
    def note(self) -> str:
        """What is left out; nothing where the document is whole."""
        shown = sum(map(len, self.parts))
        if shown == self.n_tokens:
            return ""
        return (
            f"tokens {self.start + 1:,} to {self.start + shown:,} of {self.n_tokens:,}: the {shown} in a row that "
            "moved most the document's way; the rest is cut"
        )


@dataclass(frozen=True)
class HeatMap:
    """Documents at one pair of steps, those that lost most first.

    decoded: whether a tokenizer was known. moved: predictions, token ids and documents that lost and gained most
    between the same steps.
    """

    from_step: int
    to_step: int
    documents: tuple[DocumentChange, ...]
    decoded: bool
    moved: tuple[Moved, ...]

    def to_json(self) -> list[dict[str, Any]]:
        """One document for each document shown, with the change of each of its tokens."""
        why = "nothing is predicted here, or a loss is missing"
        return [
            {
                "from_step": self.from_step,
                "to_step": self.to_step,
                "name": document.name,
                "net": document.net,
                "N": document.N,
                "note": document.note,
                "tokens": [
                    {"sequence": token.sequence, "position": token.position, "token": token.id}
                    | number_or_reason("change", token.change, why)
                    for part in document.parts
                    for token in part
                ],
            }
            for document in self.documents
        ]


@dataclass(frozen=True, eq=False)
class _Stretch:
    """Part of a document. sequence, position, id, change: [n]."""

    moved: Moved
    n_tokens: int
    start: int
    sequence: Int[np.ndarray, " n"]
    position: Int[np.ndarray, " n"]
    id: Int[np.ndarray, " n"]
    change: Float[np.ndarray, " n"]


def heat_map(
    change: Change,
    moved: tuple[Moved, ...],
    document: Shaped[np.ndarray, "S ..."],
    token: Shaped[np.ndarray, "S T"],
    first_token: Shaped[np.ndarray, "S 1"] | None,
    text: TokenText | None,
) -> HeatMap | None:
    """Tokens of the documents among `moved` with their changes; None where no document moved.

    document, token, first_token: coordinates of the store. text: decodes tokens.
    """
    of_each = np.broadcast_to(document, token.shape)
    stretches = [_stretch(change, row, of_each, token, first_token) for row in moved if row.document is not None]
    if not stretches:
        return None
    pieces = text.pieces(int(id_) for stretch in stretches for id_ in stretch.id) if text else {}
    documents = tuple(_document(stretch, pieces) for stretch in stretches)
    return HeatMap(change.from_step, change.to_step, documents, text is not None, moved)


def _stretch(
    change: Change,
    moved: Moved,
    document: Shaped[np.ndarray, "S T"],
    token: Shaped[np.ndarray, "S T"],
    first_token: Shaped[np.ndarray, "S 1"] | None,
) -> _Stretch:
    """All tokens of a short document; of a long one the successive tokens that moved most in its direction."""
    inside = (document == moved.document) & (token >= 0)
    rows = np.nonzero(inside.any(axis=1))[0]
    ids, changes, shown = token[rows], change.x[rows], inside[rows]
    positions = np.broadcast_to(np.arange(token.shape[1]), ids.shape)
    if first_token is not None:
        ids = np.hstack([first_token[rows], ids])
        changes = np.hstack([np.full((len(rows), 1), np.nan), changes])
        shown = np.hstack([shown[:, :1] & (first_token[rows] >= 0), shown])
        positions = np.hstack([np.full((len(rows), 1), -1), positions])
    flat = changes[shown]
    start = _most_in_a_row(np.nan_to_num(flat) * (1 if moved.net > 0 else -1))
    stretch = slice(start, start + LONGEST)
    sequences = np.broadcast_to(rows[:, None], ids.shape)
    place = (sequences[shown][stretch], positions[shown][stretch])
    return _Stretch(moved, flat.size, start, *place, ids[shown][stretch].astype(np.int64), flat[stretch])


def _most_in_a_row(values: Float[np.ndarray, " n"]) -> int:
    """Where the `LONGEST` successive values with the largest sum begin."""
    if values.size <= LONGEST:
        return 0
    sums = np.cumsum(np.concatenate([[0.0], values]))
    return int(np.argmax(sums[LONGEST:] - sums[:-LONGEST]))


def _document(stretch: _Stretch, pieces: dict[int, str]) -> DocumentChange:
    parts = tuple(tuple(part) for _, part in groupby(_tokens(stretch, pieces), key=lambda token: token.sequence))
    moved = stretch.moved
    return DocumentChange(moved.text, moved.net, moved.N, parts, stretch.start, stretch.n_tokens)


def _tokens(stretch: _Stretch, pieces: dict[int, str]) -> Iterator[TokenChange]:
    columns = (stretch.id, stretch.sequence, stretch.position, stretch.change)
    for id_, sequence, position, change in zip(*(column.tolist() for column in columns), strict=True):
        yield TokenChange(id_, pieces.get(id_), sequence, position, change)
