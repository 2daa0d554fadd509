"""Dicts that a program printed, in JSON or as Python writes them."""

import ast
import json
import re
from typing import Any

DICT = re.compile(r"\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")  # with dicts inside it, one level
_WORDS_FOR_NAN = re.compile(r"(?<=[:\s\[,])(-?)(nan|inf|NaN|Infinity)(?=\s*[,}\]])")
_CALL = re.compile(r"\b(?:tensor|array|(?:np|numpy|torch|jnp)\.\w+)\(([^(),]*)[^()]*\)")


def parsed_dict(text: str) -> dict[Any, Any] | None:
    """The dict that a text writes in JSON or Python; None where it writes none. Nothing is executed.

    >>> parsed_dict("{'loss': nan, 'step': np.int64(3)}")
    {'loss': 'nan', 'step': 3}
    """
    text = _CALL.sub(r"\1", text)
    for read in (json.loads, ast.literal_eval):
        try:
            values = read(_WORDS_FOR_NAN.sub(r"'\1\2'", text) if read is ast.literal_eval else text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
        return values if isinstance(values, dict) else None
    return None
