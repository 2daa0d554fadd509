"""What to know about a table or a law: a code for scripts, a sentence for people."""

from dataclasses import dataclass
from typing import Literal

Code = Literal[
    "N-chosen",
    "N-not-stated",
    "loss-converted",
    "loss-unit-assumed",
    "D-from-C",
    "runs-by-size",
    "seeds-averaged",
    "cut",
    "few-sizes",
    "E-at-zero",
    "flat-valley",
    "two-minima",
    "few-runs",
    "few-starts",
    "leverage",
    "far-extrapolation",
    "sign-not-shown",
    "one-size-decides",
    "no-break",
    "tokens-not-known",
    "unequal-batches",
    "warm-ups-not-known",
    "unequal-warm-ups",
    "rates-left-out",
    "rate-at-end",
]
Level = Literal["blocking", "note"]


@dataclass(frozen=True)
class Reason:
    """blocking: the parameters must not be used as estimates; note: they may, with this in mind."""

    code: Code
    level: Level
    message: str
