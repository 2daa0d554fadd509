"""A document of the data: its text, or its token ids."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Integer

from zerosum.errors import InputError

_LONGEST_DOMAIN = 1_000  # characters of its name

Range = tuple[int, int]
"""[first, end) of a part of a file or dataset, in bytes, rows or ids: each format counts in its own way."""


def even_ranges(total: int, size: int) -> list[Range]:
    """Ranges of at most `size`, or 1 where that is less, that cover `total`.

    >>> even_ranges(5, 2)
    [(0, 2), (2, 4), (4, 5)]
    """
    step = max(1, size)
    return [(start, min(start + step, total)) for start in range(0, total, step)]


@dataclass(frozen=True)
class Document:
    """A named document, as text, as pieces of its text in UTF-8, or as token ids.

    Pieces must be read before the next document is asked for.
    domain: None where the data does not state it. is_stream: the content is a long row of ids that may hold many
    documents, each ended by the tokenizer's end-of-text token.
    """

    name: str
    content: str | Iterator[bytes] | Integer[np.ndarray, " n"]
    domain: str | None = None
    is_stream: bool = False


@dataclass(frozen=True)
class Fields:
    """The fields of a data record that hold its text (or its list of token ids) and its domain (None: no domains).

    A field inside another is written with a dot, as "meta.source".
    """

    text: str = "text"
    domain: str | None = None

    def document(self, record: Mapping[str, Any], name: str) -> Document:
        """The document in a record. Raises InputError where the record lacks these fields."""
        content = self._value(record, self.text, name, "--field")
        domain = None if self.domain is None else self._domain(record, name)
        if isinstance(content, str):
            _require_characters(content, name)
            return Document(name, content, domain)
        ids = _token_ids(content)
        if ids is None:
            raise InputError(
                f"{name}: {self.text!r} is {type(content).__name__}, neither text nor a list of token ids. "
                "Name another field with --field."
            )
        return Document(name, ids, domain)

    def _domain(self, record: Mapping[str, Any], name: str) -> str:
        domain = str(self._value(record, str(self.domain), name, "--domain"))
        if len(domain) > _LONGEST_DOMAIN:
            raise InputError(
                f"{name}: its domain {self.domain!r} has {len(domain):,} characters. Name a field that holds the "
                "name of a domain with --domain."
            )
        _require_characters(domain, name)
        return domain

    def _value(self, record: Mapping[str, Any], field: str, name: str, option: str) -> Any:
        if field not in record and "." in field:
            outer, _, inner = field.partition(".")
            if isinstance(record.get(outer), Mapping):
                return self._value(record[outer], inner, name, option)
        if field not in record:
            known = ", ".join(map(repr, list(record)[:12])) or "none"
            raise InputError(f"{name}: no field {field!r}; its fields are {known}. Name one of them with {option}.")
        return record[field]


def _require_characters(text: str, name: str) -> None:
    """Raises InputError for half of a character, which JSON can hold and no tokenizer or file takes."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(text[error.start]):04x}"
        raise InputError(
            f"{name}: its text or domain has half of a character ({half} at {error.start}), which no file takes. "
            "Repair or remove the record."
        ) from None


def _token_ids(content: Any) -> Integer[np.ndarray, " n"] | None:
    """A list or array of integers as an array; None for anything else."""
    if not isinstance(content, list | np.ndarray):
        return None
    try:
        ids = np.asarray(content)
    except ValueError:
        return None
    if ids.shape == (0,):  # numpy makes floats of it
        return np.empty(0, np.int64)
    return ids if ids.ndim == 1 and ids.dtype.kind in "iu" and np.can_cast(ids.dtype, np.int64) else None
