"""Groups by the kind of text of the predicted token.

Letters: N predictions that have a loss at both checkpoints, V distinct token ids among them and before them.
"""

from unicodedata import category

import numpy as np
from jaxtyping import Bool, Int

from zerosum.errors import InputError
from zerosum.interference.labelled._change import Change, coordinate, tokens_of
from zerosum.interference.labelled._text import REPLACEMENT, TokenText
from zerosum.interference.labelled.groupings._labels import Labels

CLASSES = (
    "whitespace",
    "punctuation",
    "digit",
    "word-start",
    "word-continuation",
    "bytes",
    "special",
    "word, first of its sequence",
)
WHITESPACE, PUNCTUATION, DIGIT, START, CONTINUATION, BYTES, SPECIAL, UNKNOWN = range(len(CLASSES))
UNSEEN = -1  # no token before, or the store does not know it

NOTE = (
    "by the first character of the token that is not a space. word-start: a letter after anything but a letter; bytes: "
    "parts of a character; special: marks of the tokenizer"
)


def label(change: Change, text: TokenText | None) -> Labels:
    """Whitespace, punctuation (with symbols), digits, starts and continuations of words, parts of characters."""
    if text is None:
        raise InputError("classes of tokens need their text, and no tokenizer is known. Name its folder: --tokenizer.")
    tokens = tokens_of(change.store)
    token, before = change.of(tokens), change.of(_tokens_before(change, tokens))
    ids, index = np.unique(np.concatenate([token, before]), return_inverse=True)
    kind, ends_in_letter = _kinds(ids, text)
    now, previous = index.ravel()[: token.size], index.ravel()[token.size :]
    code = kind[now]
    code[(code == START) & ends_in_letter[previous]] = CONTINUATION
    # Without the token before it, a start and a continuation of a word cannot be distinguished.
    code[(code == START) & (before == UNSEEN)] = UNKNOWN
    spaced = _begins_with_space(ids, text)[now]
    code[spaced & ((code == CONTINUATION) | (code == UNKNOWN))] = START
    return Labels(code, CLASSES, NOTE)


def _tokens_before(change: Change, tokens: Int[np.ndarray, "S T"]) -> Int[np.ndarray, "S T"]:
    """The token that each prediction follows; -1 where the store does not know it."""
    before = np.empty_like(tokens)
    before[:, 1:] = tokens[:, :-1]
    first = coordinate(change.store, "first_token")
    before[:, :1] = UNSEEN if first is None else first
    before[before < 0] = UNSEEN
    return before


def _kinds(ids: Int[np.ndarray, " V"], text: TokenText) -> tuple[Int[np.ndarray, " V"], Bool[np.ndarray, " V"]]:
    """Class of each id, with every word taken as a start; and whether its text ends in a letter."""
    pieces = text.pieces(int(id_) for id_ in ids if id_ != UNSEEN)
    kind = [UNKNOWN if id_ == UNSEEN else _kind(int(id_), pieces[int(id_)], text) for id_ in ids]
    letter = [id_ != UNSEEN and _is_letter(pieces[int(id_)][-1:]) for id_ in ids]
    return np.array(kind, dtype=np.int64), np.array(letter, dtype=bool)


def _kind(token: int, piece: str, text: TokenText) -> int:
    visible = piece.strip()
    if not piece or text.is_special(token):
        return SPECIAL
    if REPLACEMENT in piece:
        return BYTES
    if not visible:
        return WHITESPACE
    if _is_letter(visible[0]):
        return START
    return DIGIT if visible[0].isnumeric() else PUNCTUATION


def _is_letter(character: str) -> bool:
    """A letter or a mark on one: scripts of South Asia write vowels as marks."""
    return character != "" and category(character)[0] in "LM"


def _begins_with_space(ids: Int[np.ndarray, " V"], text: TokenText) -> Bool[np.ndarray, " V"]:
    pieces = text.pieces(int(id_) for id_ in ids if id_ != UNSEEN)
    return np.array([id_ != UNSEEN and pieces[int(id_)][:1].isspace() for id_ in ids], dtype=bool)
