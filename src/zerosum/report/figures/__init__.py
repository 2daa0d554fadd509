"""Figures of a suite, one file each, with `plot(summary, layout)` and `table(summary)`. A new figure is a new file here.

Stems name the files; they never contain anything a user chose.
"""

from zerosum.report.figures import cutoffs, d_m_plane, interference_steps, loss_curves
from zerosum.report.figures._style import Layout
from zerosum.report.figures._write import inline_svg, write_figure

FIGURES = {
    "loss-curves": loss_curves,
    "interference": interference_steps,
    "d-m-plane": d_m_plane,
    "cutoffs": cutoffs,
}
"""File stem -> module, in the order of the page."""

__all__ = [
    "FIGURES",
    "Layout",
    "cutoffs",
    "d_m_plane",
    "inline_svg",
    "interference_steps",
    "loss_curves",
    "write_figure",
]
