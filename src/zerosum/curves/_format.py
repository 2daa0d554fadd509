"""What a file format has to offer to be read."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

# Reads numbers of the columns that `choose` picks from the names it is given.
Choose = Callable[[list[str]], dict[str, str]]


@dataclass(frozen=True)
class Columns:
    """What a reader found. axes: "step", "loss", ... -> [n] numbers, NaN where missing, in the order written.

    names: axis -> the source's own column name. said: one sentence for each thing the reader had to work around.
    format: as what the file was read.
    """

    axes: dict[str, Float[np.ndarray, " n"]]
    names: dict[str, str]
    said: tuple[str, ...]
    format: str


@dataclass(frozen=True)
class Format:
    """A reader of one file format.

    name: for messages. suffixes: file endings, used only when no format recognises the content.
    matches: whether the file's first bytes look like this format; it must not raise.
    read: path and column chooser -> `Columns`; raises InputError, whatever the file holds.
    rank: lower is asked first; the format with the more particular signature goes first.
    """

    name: str
    suffixes: tuple[str, ...]
    matches: Callable[[bytes], bool]
    read: Callable[[Path, Choose], Columns]
    rank: int


def as_number(value: Any) -> float:
    """A logged value as a number; NaN where it is none. Strings count ("nan", "inf"), truth values do not.

    Whole numbers beyond the range of floating point are infinite.

    >>> as_number("3.5"), as_number(True), as_number("diverged")
    (3.5, nan, nan)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return float("nan")
    try:
        return float(value)
    except ValueError:
        return float("nan")
    except OverflowError:
        return float("-inf") if isinstance(value, int) and value < 0 else float("inf")
