"""Reads a whole JSON file, or raises a one-line error."""

import json
from pathlib import Path
from typing import Any

from zerosum.errors import InputError


def load_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises InputError where there is none."""
    whole = load(path)
    if not isinstance(whole, dict):
        raise InputError(f"{path}: holds a {type(whole).__name__}, not an object. Check the file.")
    return whole


def load(path: Path) -> Any:
    """The content of a JSON file. Raises InputError where it is cut off or no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig", errors="replace"))
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"{path}: not complete JSON ({error.msg}, {where}). Was it cut off? Copy it again.") from None
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits; a hundred thousand brackets
        cause = "a number with too many digits" if isinstance(error, ValueError) else "nested too deeply"
        raise InputError(f"{path}: not JSON that can be read ({cause}). Mend the file.") from None
