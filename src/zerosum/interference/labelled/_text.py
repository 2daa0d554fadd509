"""Token ids as text, by any tokenizer that has `decode(ids, skip_special_tokens=...)`.

Both `tokenizers.Tokenizer` and the tokenizers of transformers do; neither is loaded here.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from zerosum.errors import InputError

REPLACEMENT = "\ufffd"  # what parts of a character decode to


class TokenText:
    """Decodes tokens, each as it stands inside a text: " the" with its space, "the" without.

    >>> class Bytes:
    ...     def decode(self, ids, skip_special_tokens=True):
    ...         return bytes(ids).decode(errors="replace")
    >>> TokenText(Bytes()).text([104, 105]), TokenText(Bytes()).pieces([32, 97, 200])
    ('hi', {32: ' ', 97: 'a', 200: '�'})
    """

    def __init__(self, tokenizer: Any):
        self._tokenizer = tokenizer
        self._pieces: dict[int, str] = {}
        self._anchor: tuple[int, str] | None = None

    def text(self, ids: Sequence[int]) -> str:
        """The text of successive tokens."""
        self._require_known(ids)
        return str(self._tokenizer.decode([int(id_) for id_ in ids], skip_special_tokens=False))

    def pieces(self, ids: Iterable[int]) -> dict[int, str]:
        """The text of each token after another one, so that a space at its front is not lost.

        A token that is only part of a character gives U+FFFD, the replacement character.
        """
        wanted = {int(id_) for id_ in ids}
        new = sorted(wanted - self._pieces.keys())
        self._require_known(new)
        if self._anchor is None:
            self._anchor = self._find_anchor(new)
        for id_ in new:
            self._pieces[id_] = self._piece(id_)
        return {id_: self._pieces[id_] for id_ in wanted}

    def is_special(self, token: int) -> bool:
        """Whether the token is a mark (such as the end of a text) and not text."""
        return bool(self.text([token])) and not self._tokenizer.decode([int(token)], skip_special_tokens=True)

    def _piece(self, token: int) -> str:
        """Sentence-piece decoders drop the first space of a text; after a letter it stays."""
        if self._anchor:
            anchor, before = self._anchor
            both = self.text([anchor, token])
            if both.startswith(before):
                return both[len(before) :]
        return self.text([token])

    def _find_anchor(self, ids: Iterable[int]) -> tuple[int, str] | None:
        """A token that is plain letters and stays the same before another."""
        for id_ in ids:
            text = self.text([id_])
            if text.isascii() and text.isalpha() and self.text([id_, id_]).startswith(text):
                return id_, text
        return None

    def _require_known(self, ids: Iterable[int]) -> None:
        size = getattr(self._tokenizer, "get_vocab_size", None)
        known = size() if size else len(self._tokenizer) if hasattr(self._tokenizer, "__len__") else None
        wrong = [id_ for id_ in ids if id_ < 0 or (known is not None and id_ >= known)]
        if wrong:
            raise InputError(
                f"token {wrong[0]}: the tokenizer has only ids below {known}. Name the model's own with --tokenizer."
            )
