"""The interface of a table in a file: rows of named cells."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

Cells = Iterable[Any]  # of one column, as they are written; an array where all are numbers


@runtime_checkable
class Table(Protocol):
    """A table of a file."""

    @property
    def names(self) -> Sequence[str]:
        """The columns, as the source spells them."""

    def numbers(self, axis: str, name: str) -> Float[np.ndarray, " n"]:
        """A column as numbers; NaN where there is none. axis: what it is taken for."""

    def cells(self, name: str) -> Cells:
        """A column as it is written."""
