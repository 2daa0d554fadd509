"""What the file of a figure has."""

from typing import Protocol, runtime_checkable

import pandas as pd
from matplotlib.figure import Figure

from zerosum.report.figures._style import Layout
from zerosum.report.summary import SuiteSummary


@runtime_checkable
class FigureModule(Protocol):
    """What a figure's file has: a title, how to read it, and the three functions."""

    TITLE: str
    HOW_TO_READ: str

    def plot(self, summary: SuiteSummary, layout: Layout = "wide") -> Figure:
        """The figure, for a desktop or a phone."""
        ...

    def table(self, summary: SuiteSummary) -> pd.DataFrame:
        """Its numbers at full precision."""
        ...

    def alt(self, summary: SuiteSummary) -> str:
        """What it shows, for who cannot see it."""
        ...
