"""The documents that gained and lost most between two checkpoints, token by token.

Letters: S sequences, T predicted positions, n tokens of one document, in reading order.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from zerosum.interference.labelled import Change, Moved, TokenText
from zerosum.show.names import printable

LONGEST = 500  # tokens shown of one document
LEVELS = 5  # steps of colour on each side of zero
ROUND = (1, 1.5, 2, 3, 5, 7)  # times a power of ten
SPREAD = 0.9  # share of the tokens shown whose change is within the scale


@dataclass(frozen=True)
class Token:
    """One token of a document. change: nats, positive: worse; NaN where none is known. level: of its colour, signed.

    text: as it stands in the document, untrusted; what is invisible in it is spelled out. after: the line break or
    space that follows it, where no number is put.
    """

    id: int
    text: str
    sequence: int
    position: int
    change: float
    level: int
    after: str = ""

    @property
    def loud(self) -> bool:
        """Whether its number stands beside it."""
        return abs(self.level) == LEVELS


@dataclass(frozen=True)
class Document:
    """A document, or the stretch of it that moved most. net: its whole change in nats over N predictions.

    parts: its tokens, one row for each sequence that they are from. note: what is not shown.
    """

    name: str
    net: float
    N: int
    parts: tuple[tuple[Token, ...], ...]
    note: str


@dataclass(frozen=True)
class HeatMap:
    """Documents at one pair of steps, those that lost most first. scale: nats at the ends of the colours.

    moved: predictions, token ids and documents that lost and gained most between the same steps.
    """

    from_step: int
    to_step: int
    scale: float
    documents: tuple[Document, ...]
    decoded: bool
    moved: tuple[Moved, ...]


@dataclass(frozen=True, eq=False)
class _Stretch:
    """Part of a document. sequence, position (-1: the token before the first prediction), id, change: [n]."""

    moved: Moved
    n_all: int
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
    """Tokens of the documents among `moved`, coloured by their changes; None where no document moved.

    document, token, first_token: coordinates of the store. text: decodes tokens; without it ids are shown.
    """
    of = np.broadcast_to(document, token.shape)
    found = [_stretch(change, one, of, token, first_token) for one in moved if one.document is not None]
    if not found:
        return None
    sizes = np.concatenate([np.abs(one.change) for one in found])
    scale = nice(float(np.nanquantile(sizes, SPREAD)))
    pieces = text.pieces(int(one) for stretch in found for one in stretch.id) if text else {}
    documents = tuple(_document(one, scale, pieces) for one in found)
    return HeatMap(change.from_step, change.to_step, scale, documents, text is not None, moved)


def nice(value: float) -> float:
    """The smallest of a few round numbers that is not below a positive value.

    >>> nice(0.93), nice(0.0021), nice(1.2)
    (1.0, 0.003, 1.5)
    """
    if not value > 0:
        return 1.0
    power = math.floor(math.log10(value))
    return next(one for k in (power, power + 1) for m in ROUND if (one := float(f"{m}e{k}")) >= value)


def level(change: float, scale: float) -> int:
    """Step of colour of a change, 0 for almost none, `LEVELS` from nine tenths of the scale on.

    >>> level(-1.0, 1.0), level(0.05, 1.0), level(0.3, 1.0), level(math.nan, 1.0)
    (-5, 0, 2, 0)
    """
    if not math.isfinite(change):
        return 0
    steps = math.floor(min(abs(change) / scale, 1.0) * LEVELS + 0.5)
    return int(math.copysign(steps, change))


def visible(text: str) -> str:
    """Text of a token with line breaks and tabs to be seen; a line break still breaks the line.

    >>> visible(" a\\n"), visible("\\t"), visible("")
    (' a⏎\\n', '⇥', '∅')
    """
    lines = text.replace("\r", "␍").replace("\t", "⇥").split("\n")
    return "⏎\n".join(printable(line) for line in lines) or "∅"


def _stretch(
    change: Change,
    moved: Moved,
    document: Shaped[np.ndarray, "S T"],
    token: Shaped[np.ndarray, "S T"],
    first_token: Shaped[np.ndarray, "S 1"] | None,
) -> _Stretch:
    """All tokens of a document where it is short, else those in a row that moved most its way."""
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
    kept = slice(start, start + LONGEST)
    sequences = np.broadcast_to(rows[:, None], ids.shape)
    place = (sequences[shown][kept], positions[shown][kept])
    return _Stretch(moved, flat.size, start, *place, ids[shown][kept].astype(np.int64), flat[kept])


def _most_in_a_row(values: Float[np.ndarray, " n"]) -> int:
    """Where the `LONGEST` successive values with the largest sum begin."""
    if values.size <= LONGEST:
        return 0
    sums = np.cumsum(np.concatenate([[0.0], values]))
    return int(np.argmax(sums[LONGEST:] - sums[:-LONGEST]))


def _document(found: _Stretch, scale: float, pieces: dict[int, str]) -> Document:
    tokens = list(_tokens(found, scale, pieces))
    sequences = list(dict.fromkeys(one.sequence for one in tokens))
    parts = tuple(tuple(one for one in tokens if one.sequence == sequence) for sequence in sequences)
    note = ""
    if found.n_all > len(tokens):
        last = found.start + len(tokens)
        note = (
            f"tokens {found.start + 1:,} to {last:,} of {found.n_all:,}: the {LONGEST} in a row that moved most the "
            "document's way; the rest is cut"
        )
    return Document(found.moved.text, found.moved.net, found.moved.N, parts, note)


def _tokens(found: _Stretch, scale: float, pieces: dict[int, str]) -> Iterator[Token]:
    columns = (found.id, found.sequence, found.position, found.change)
    for one, sequence, position, change in zip(*(column.tolist() for column in columns), strict=True):
        text = visible(pieces[one]) if one in pieces else f"{one} "
        shown = text[:-1] if text[-1] == "\n" or one not in pieces else text
        yield Token(one, shown, sequence, position, change, level(change, scale), text[len(shown) :])
