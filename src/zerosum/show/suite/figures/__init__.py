"""Figures of a suite, one file each. A new figure is a new file and its line in `FIGURES`.

Stems name the files that are written; they never contain anything that a user chose.
"""

from zerosum.show.drawing import FigureModule
from zerosum.show.suite.figures import cutoffs, d_m_plane, interference_steps, loss_curves
from zerosum.show.suite.summary import SuiteSummary

FIGURES: dict[str, FigureModule[SuiteSummary]] = {
    "loss-curves": loss_curves,
    "interference": interference_steps,
    "d-m-plane": d_m_plane,
    "cutoffs": cutoffs,
}
"""File stem -> module, in the order of the page."""

__all__ = ["FIGURES"]
