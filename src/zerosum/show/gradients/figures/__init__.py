"""Figures of per-token gradients over training, one file each. A new figure is a new file and its line in `FIGURES`."""

from zerosum.show.drawing import FigureModule
from zerosum.show.gradients.figures import factors, first_order, halvings, opposition, parts
from zerosum.show.gradients.subject import GradientsOverTraining

FIGURES: dict[str, FigureModule[GradientsOverTraining]] = {
    "gradient-opposition": opposition,
    "gradient-factors": factors,
    "gradient-first-order": first_order,
    "gradient-parts": parts,
    "gradient-halvings": halvings,
}
"""File stem -> module, in the order of the page."""


def figures_of(over: GradientsOverTraining) -> dict[str, FigureModule[GradientsOverTraining]]:
    """Those that have something to show."""
    absent = why_absent(over)
    return {stem: module for stem, module in FIGURES.items() if stem not in absent}


def why_absent(over: GradientsOverTraining) -> dict[str, str]:
    """File stem -> why that figure is left out."""
    reasons = {
        "gradient-opposition": opposition.absent(over),
        "gradient-factors": factors.absent(over),
        "gradient-first-order": first_order.absent(over),
        "gradient-parts": parts.absent(over),
        "gradient-halvings": halvings.absent(over),
    }
    return {stem: why for stem, why in reasons.items() if why}


__all__ = ["FIGURES", "figures_of", "why_absent"]
