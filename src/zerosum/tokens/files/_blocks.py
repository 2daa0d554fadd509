"""Cuts long texts into blocks that are encoded one at a time, so that a document of any size needs little memory.

Blocks are cut before a space between a printable character and a letter: byte-level BPE begins a word there anyway, so
the ids are those of the whole text. A text without such a place within 64 KiB is cut after a line, or between two
characters; there, the tokens at the cut can differ from those of the whole text.
"""

import re
from collections.abc import Iterable, Iterator

from zerosum.tokens.formats.text import not_utf8

BLOCK = 1 << 20  # bytes of a block, and up to _SEARCHED more
_SEARCHED = 1 << 16
_WORD = re.compile(rb"[!-~] [A-Za-z]")


def text_blocks(pieces: Iterable[bytes], name: str, block: int = BLOCK) -> Iterator[str]:
    """The text in blocks, the same ones however its bytes arrive. Raises InputError where it is not UTF-8."""
    waiting, passed = b"", 0
    for piece in pieces:
        waiting += piece
        while len(waiting) >= block + _SEARCHED:
            end = _cut(waiting, block)
            yield _decoded(waiting[:end], name, passed)
            waiting, passed = waiting[end:], passed + end
    if waiting:
        yield _decoded(waiting, name, passed)


def _cut(text: bytes, block: int) -> int:
    if word := _WORD.search(text, block, block + _SEARCHED):
        return word.start() + 1
    if (line := text.find(b"\n", block, block + _SEARCHED)) >= 0:
        return line + 1
    return next((at for at in range(block, block + 4) if text[at] & 0xC0 != 0x80), block)


def _decoded(text: bytes, name: str, passed: int) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise not_utf8(name, passed + error.start) from None
