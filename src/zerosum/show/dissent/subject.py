"""What is shown of gradient dissent, read off the documents of `zerosum dissent --json`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from zerosum.show.numbers import Ends

Document = Mapping[str, Any]
PLACES = {
    "token": "tokens, mean",
    "rows": "head rows, mean",
    "head": "head, one vector",
    "body": "body, one vector",
}
"""Where dissent is measured: at each token's last hidden state, at each row of the head that is a label, and of all N
tokens together at the whole head and in all parameters below it."""
READ = ("dissent", "magnitude_ratio", "cancellation")
BATCH = ("head", "body")  # those that are one vector


class Value(NamedTuple):
    """A number, NaN where it is not known, and its 95 % interval where it has one."""

    value: float
    ends: Ends = None


@dataclass(frozen=True)
class Reached:
    """Where the dissent of `place` first got to `level`. found: as `zerosum.gradients` says it, in JSON."""

    place: str
    level: float
    found: Document

    @property
    def known(self) -> bool:
        """Whether it did so between two checkpoints."""
        return self.found["step"] is not None


@dataclass(frozen=True)
class DissentOverTraining:
    """documents: one of each checkpoint, by step. reached: first crossings of levels."""

    documents: tuple[Document, ...]
    reached: tuple[Reached, ...] = ()

    @classmethod
    def of(cls, documents: Sequence[Document], first_reached: Sequence[Document]) -> "DissentOverTraining":
        """Of the documents and the "first_reached" of one call."""
        reached = tuple(Reached(one["of"], one["level"], one) for one in first_reached)
        return cls(tuple(documents), reached)

    @cached_property
    def steps(self) -> list[float]:
        """Of the checkpoints."""
        return [float(one["step"]) for one in self.documents]

    @property
    def last(self) -> Document:
        """The document of the last checkpoint."""
        return self.documents[-1]

    def over_steps(self, place: str, name: str = "dissent") -> list[Value]:
        """One number at each checkpoint."""
        return [value_of(one, place, name) for one in self.documents]

    def losses(self) -> list[Value]:
        """Mean loss at each checkpoint, nats per token."""
        return [mean_of(one["loss"]) for one in self.documents]


def value_of(document: Document, place: str, name: str) -> Value:
    """The mean over tokens or rows, or the number of one vector. NaN where it is not known."""
    if spreads := spreads_at(document, place):
        return mean_of(spreads[name])
    whole = document[place] if place in BATCH else None
    return Value(math.nan if whole is None else known(whole[name]))


def spreads_at(document: Document, place: str) -> Document | None:
    """The numbers of all tokens or all rows, by name; None of places that are one vector, and of a frozen head."""
    if place == "rows":
        found: Document | None = document["head"] and document["head"]["rows"]
    else:
        found = document["token"] if place == "token" else None
    return found


def mean_of(spread: Document) -> Value:
    """The mean with its interval."""
    ends = spread["interval"]
    return Value(known(spread["mean"]), None if ends is None else (ends[0], ends[1]))


def known(value: float | int | None) -> float:
    """A number of the document; NaN for null."""
    return math.nan if value is None else float(value)
