"""Figures of a suite, one file each. A new figure is a new file and its line in `FIGURES`.

Stems name the files that are written; they never contain anything that a user chose.
"""

from typing import Protocol

import pandas as pd
from matplotlib.figure import Figure

from zerosum.report.figures import cutoffs, d_m_plane, interference_steps, loss_curves
from zerosum.report.figures._style import Layout
from zerosum.report.figures._write import inline_svg, write_figure
from zerosum.report.summary import SuiteSummary


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


FIGURES: dict[str, FigureModule] = {
    "loss-curves": loss_curves,
    "interference": interference_steps,
    "d-m-plane": d_m_plane,
    "cutoffs": cutoffs,
}
"""File stem -> module, in the order of the page."""

__all__ = [
    "FIGURES",
    "FigureModule",
    "Layout",
    "cutoffs",
    "d_m_plane",
    "inline_svg",
    "interference_steps",
    "loss_curves",
    "write_figure",
]
