"""What the file of a figure has."""

from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

import pandas as pd
from matplotlib.figure import Figure

from zerosum.show.drawing.style import Layout

Subject = TypeVar("Subject", contravariant=True)


@runtime_checkable
class FigureModule(Protocol[Subject]):
    """What a figure's file has: a title, how to read it, and three functions of what it shows."""

    TITLE: str
    HOW_TO_READ: str

    def plot(self, subject: Subject, /, layout: Layout = "wide") -> Figure:
        """The figure, for a desktop or a phone."""
        ...

    def alt(self, subject: Subject, /) -> str:
        """Alt text."""
        ...

    if TYPE_CHECKING:  # older figures alone: those of sections have `numbers`

        def table(self, subject: Subject, /) -> pd.DataFrame:
            """Its numbers at full precision."""
            ...
