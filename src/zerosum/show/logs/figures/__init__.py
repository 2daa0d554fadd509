"""Figures of loss logs, one file each. A new figure is a new file and its line in `FIGURES`.

Stems name the files that are written; they never contain anything that a user chose.
"""

from zerosum.show.drawing import FigureModule
from zerosum.show.logs.figures import curves, cutoffs, differences, forecasts, misfit
from zerosum.show.logs.subject import Logs

FIGURES: dict[str, FigureModule[Logs]] = {
    "curves": curves,
    "cutoffs": cutoffs,
    "misfit": misfit,
    "forecasts": forecasts,
    "differences": differences,
}
"""File stem -> module, in the order of the page."""


def figures_of(logs: Logs) -> dict[str, FigureModule[Logs]]:
    """Those that have something to show."""
    absent = set() if any(one.terms for one in logs.comparisons) else {"differences"}
    absent |= set() if any(one.forecasts for one in logs.analyses) else {"forecasts"}
    return {stem: module for stem, module in FIGURES.items() if stem not in absent}


__all__ = ["FIGURES", "figures_of"]
