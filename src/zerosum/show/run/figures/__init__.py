"""Figures of what the tokens of one run do, one file each. A new figure is a new file and its line in `FIGURES`."""

from zerosum.interference.labelled import StoreFindings
from zerosum.show.drawing import FigureModule
from zerosum.show.run.figures import concordance, groups, groups_over_time, interference, where

FIGURES: dict[str, FigureModule[StoreFindings]] = {
    "interference": interference,
    "groups": groups,
    "groups-over-time": groups_over_time,
    "where": where,
    "concordance": concordance,
}
"""File stem -> module, in the order of the page."""


def figures_of(losses: StoreFindings) -> dict[str, FigureModule[StoreFindings]]:
    """Those that have something to show."""
    absent = set() if losses.groups else {"groups", "groups-over-time", "where"}
    absent |= set() if losses.found.persistence else {"concordance"}
    return {stem: module for stem, module in FIGURES.items() if stem not in absent}


__all__ = ["FIGURES", "figures_of"]
