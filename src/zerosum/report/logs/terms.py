"""How the parts of a difference are written, the same on a terminal, a page, in a figure and in LaTeX."""

from zerosum.report import numbers as n

PLACES = 4
"""Decimals of every term, interval and total, in nats: written alike, they can be added up on paper."""


def signed(nats: float, places: int = PLACES) -> str:
    """A number of nats with its sign.

    >>> signed(0.25), signed(-0.25), signed(-0.00001)
    ('+0.2500', '−0.2500', '0.0000')
    """
    text = n.number(nats, places)
    return f"+{text}" if nats > 0 and text.strip("0.") else text
