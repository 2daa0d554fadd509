"""Figures of gradient dissent, one file each. A new figure is a new file and its line in `FIGURES`."""

from zerosum.report.dissent.figures import frequency, layers_over_steps, over_steps, parts
from zerosum.report.dissent.subject import DissentOverTraining
from zerosum.report.drawing import FigureModule

FIGURES: dict[str, FigureModule[DissentOverTraining]] = {
    "dissent-over-steps": over_steps,
    "dissent-by-frequency": frequency,
    "dissent-by-part": parts,
    "dissent-by-layer-over-steps": layers_over_steps,
}
"""File stem -> module, in the order of reading."""


def figures_of(over: DissentOverTraining) -> dict[str, FigureModule[DissentOverTraining]]:
    """Those that have something to show."""
    absent = set() if len(over.documents) > 1 else {"dissent-over-steps", "dissent-by-layer-over-steps"}
    absent |= set() if over.last["body"] else {"dissent-by-part", "dissent-by-layer-over-steps"}
    return {stem: module for stem, module in FIGURES.items() if stem not in absent}


__all__ = ["FIGURES", "figures_of"]
