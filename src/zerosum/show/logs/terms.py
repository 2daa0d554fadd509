"""How the parts of a difference are written, the same on a terminal, a page, in a figure and in LaTeX."""

from collections.abc import Sequence

from zerosum.deceleration import Comparison, Term
from zerosum.show import numbers as n

PLACES = 4
"""Decimals of every term, interval and total, in nats: written alike, they can be added up on paper."""
NOTHING = 1e-12  # nats: what is left of an exact zero when floats are added up
MILLION = 1e6


def signed(nats: float, places: int = PLACES) -> str:
    """A number of nats with its sign.

    >>> signed(0.25), signed(-0.25), signed(-0.00001)
    ('+0.2500', '−0.2500', '0.0000')
    """
    text = n.number(nats, places)
    return f"+{text}" if nats > 0 and text.strip("0.") else text


def ends(term: Term) -> str:
    """The interval of a term in brackets, or nothing where it has none."""
    return f"[{signed(term.interval[0])},\xa0{signed(term.interval[1])}]" if term.interval else ""


def by_size(terms: Sequence[Term]) -> list[Term]:
    """The largest first, whatever its sign."""
    return sorted(terms, key=lambda term: -abs(term.nats))


def exactly_zero(term: Term) -> bool:
    """Whether a term is no estimate at all: runs that were fitted up to the same step have no T term."""
    return term.interval is not None and max(map(abs, (term.nats, *term.interval))) < NOTHING


def tokens(count: float) -> str:
    """A number of training tokens in millions.

    >>> tokens(3.99e9), tokens(45_600.0)
    ('3,990 M tokens', '0.0456 M tokens')
    """
    return f"{n.number(count / MILLION, n.decimals(count / MILLION))} M tokens"


def where(one: Comparison) -> str:
    """From where on two losses differ, without a full stop."""
    counted = "steps" if one.axis == "steps" else "tokens"
    if one.differ_from is None:
        return f"from which {counted.removesuffix('s')} on they differ cannot be said: {one.differ_reason}"
    if one.differ_throughout:
        return f"throughout the {counted} that both fits saw the losses differ, always the same way"
    at = f"step {n.count(round(one.differ_from))}" if one.axis == "steps" else tokens(one.differ_from)
    return f"from {at} on the losses differ, always the same way, as far as both go"
