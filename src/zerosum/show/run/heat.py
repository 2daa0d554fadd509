"""Colours of the documents that are shown token by token, and text of tokens that hides nothing."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from zerosum.interference.labelled import DocumentChange, HeatMap, TokenChange
from zerosum.show.names import printable

LEVELS = 5  # steps of colour on each side of zero
ROUND = (1, 1.5, 2, 3, 5, 7)  # times a power of ten
SPREAD = 0.9  # share of the tokens shown whose change is within the scale


@dataclass(frozen=True)
class Token:
    """One token of a document. change: nats; NaN where none is known. level: of its colour, signed.

    text: what is invisible in it is spelled out. after: the line break or space that follows it, where no number is
    put.
    """

    id: int
    text: str
    change: float
    level: int
    after: str = ""

    @property
    def loud(self) -> bool:
        """Whether its number stands beside it."""
        return abs(self.level) == LEVELS


@dataclass(frozen=True)
class Document:
    """A document with its tokens coloured. note: what is not shown."""

    name: str
    net: float
    N: int
    parts: tuple[tuple[Token, ...], ...]
    note: str


@dataclass(frozen=True)
class Coloured:
    """Documents at one pair of steps. scale: nats at the ends of the colours."""

    from_step: int
    to_step: int
    scale: float
    documents: tuple[Document, ...]
    decoded: bool


def coloured(heat: HeatMap) -> Coloured:
    """Each token with its step of colour; without a tokenizer ids are shown."""
    changes = [abs(token.change) for document in heat.documents for part in document.parts for token in part]
    scale = nice(float(np.nanquantile(changes, SPREAD)))
    documents = tuple(_document(document, scale) for document in heat.documents)
    return Coloured(heat.from_step, heat.to_step, scale, documents, heat.decoded)


def _document(document: DocumentChange, scale: float) -> Document:
    parts = tuple(tuple(_tokens(part, scale)) for part in document.parts)
    return Document(document.name, document.net, document.N, parts, document.note)


def _tokens(part: tuple[TokenChange, ...], scale: float) -> Iterator[Token]:
    for token in part:
        text, after = shown_text(token)
        yield Token(token.id, text, token.change, level(token.change, scale), after)


def shown_text(token: TokenChange) -> tuple[str, str]:
    """The text of a token with what is invisible in it spelled out, and the line break or space after it."""
    if token.text is None:
        return str(token.id), " "
    text = visible(token.text)
    return (text[:-1], "\n") if text.endswith("\n") else (text, "")


def nice(value: float) -> float:
    """The smallest of a few round numbers that is not below a positive value.

    >>> nice(0.93), nice(0.0021), nice(1.2)
    (1.0, 0.003, 1.5)
    """
    if not value > 0:
        return 1.0
    power = math.floor(math.log10(value))
    candidates = (float(f"{m}e{k}") for k in (power, power + 1) for m in ROUND)
    return next(candidate for candidate in candidates if candidate >= value)


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
