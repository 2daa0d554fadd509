"""One document, as a file holds it: text, or ids that somebody else made of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Integer

from zerosum.errors import InputError


@dataclass(frozen=True)
class Document:
    """Text or token ids, with a name.

    domain: None where the source says nothing of it. is_stream: a long row of ids that may hold many documents, each
    ended by the tokenizer's end-of-text token.
    """

    name: str
    content: str | Integer[np.ndarray, " n"]
    domain: str | None = None
    is_stream: bool = False


@dataclass(frozen=True)
class Fields:
    """Which field of a record holds the text (or a list of token ids), and which one its domain."""

    text: str = "text"
    domain: str | None = None

    def document(self, record: Mapping[str, Any], name: str) -> Document:
        """The document of one record. Raises InputError where the record has no such fields."""
        content = self._value(record, self.text, name)
        domain = None if self.domain is None else str(self._value(record, self.domain, name))
        if isinstance(content, str):
            return Document(name, content, domain)
        ids = _ids(content)
        if ids is None:
            raise InputError(
                f"{name}: {self.text!r} is {type(content).__name__}, not text and no list of token ids. "
                "Name another field with --field."
            )
        return Document(name, ids, domain)

    def _value(self, record: Mapping[str, Any], field: str, name: str) -> Any:
        if field not in record:
            known = ", ".join(map(repr, list(record)[:12])) or "none"
            option = "--field" if field == self.text else "--domain"
            raise InputError(f"{name}: no field {field!r}; there is {known}. Name one with {option}.")
        return record[field]


def _ids(content: Any) -> Integer[np.ndarray, " n"] | None:
    if not isinstance(content, list | np.ndarray):
        return None
    try:
        ids = np.asarray(content)
    except ValueError:
        return None
    return ids if ids.ndim == 1 and ids.dtype.kind in "iu" else None
