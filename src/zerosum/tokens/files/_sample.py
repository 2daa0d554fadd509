"""The texts that a tokenizer is trained on: the beginning of every piece of the data, the same share of each."""

from collections.abc import Iterator

from zerosum.tokens._document import Fields
from zerosum.tokens.files._blocks import text_blocks
from zerosum.tokens.files._plan import Part, Plan


def sample_texts(plan: Plan, fields: Fields, n_bytes: int) -> Iterator[str]:
    """Texts of about `n_bytes` in UTF-8 in all, or all texts where there are fewer; documents of ids give none."""
    for piece in plan.pieces:
        left = max(1, n_bytes // len(plan.pieces))
        for text in _texts(piece, fields):
            yield text
            left -= len(text.encode())
            if left <= 0:
                break


def _texts(piece: tuple[Part, ...], fields: Fields) -> Iterator[str]:
    for part in piece:
        for document in part.documents(fields):
            if isinstance(document.content, str):
                yield document.content
            elif isinstance(document.content, Iterator):
                yield from text_blocks(document.content, document.name)
