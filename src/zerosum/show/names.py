"""Untrusted names, of runs, files and layers: shown as text, never parsed, never part of a path."""

import re
from collections.abc import Sequence

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\ufffe\uffff]")


def printable(name: str, longest: int = 200) -> str:
    """A name as one line of printable text: control characters and invisible ones become U+FFFD.

    >>> printable("a" + chr(0) + "b" * 9, longest=6), printable("a" + chr(27) + "[2J", longest=4)
    ('a�bbb…', 'a�[…')
    """
    clean = _UNPRINTABLE.sub("\ufffd", name)
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def short_distinct_names(names: Sequence[str], longest: int) -> list[str]:
    """Shortened names that stay distinct: a beginning or end that all names share is cut first.

    >>> short_distinct_names(["sweep of June, lr 0.1, seed 0", "sweep of June, lr 0.2, seed 0"], longest=16)
    ['…, lr 0.1, seed…', '…, lr 0.2, seed…']
    >>> short_distinct_names(["a", "sweep of June, lr 0.2"], longest=12)
    ['a', 'sweep of Ju…']
    """
    clean = [printable(name) for name in names]
    before = after = 0
    if len(set(clean)) > 1 and max(map(len, clean)) > longest:
        before = _shared(clean)
        after = _shared([name[before:][::-1] for name in clean])
        room = max(0, longest - 2 - (max(map(len, clean)) - before - after))
        before, after = max(0, before - (room + 1) // 2), max(0, after - room // 2)
    middle = [name[before : len(name) - after] for name in clean]
    return [printable(f"{'…' if before else ''}{name}{'…' if after else ''}", longest) for name in middle]


def _shared(names: Sequence[str]) -> int:
    """With how many characters all names begin alike."""
    pairs = zip(*names, strict=False)
    return next((k for k, chars in enumerate(pairs) if len(set(chars)) > 1), min(map(len, names)))
