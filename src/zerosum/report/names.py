"""Names that somebody else chose: shown as text, never parsed, never part of a path."""

import re

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\ufffe\uffff]")


def printable(name: str, longest: int = 200) -> str:
    """A name as one line of text that hides nothing and that no font, XML parser or terminal trips over.

    >>> printable("a" + chr(0) + "b" * 9, longest=6), printable("a" + chr(27) + "[2J", longest=4)
    ('a�bbb…', 'a�[…')
    """
    clean = _UNPRINTABLE.sub("\ufffd", name)
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"
