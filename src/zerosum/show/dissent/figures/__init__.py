"""Figures of gradient dissent, one file each. A new figure is a new file and its line in `FIGURES`."""

import math

from zerosum.show.dissent.figures import frequency, layers_over_steps, over_steps, parts
from zerosum.show.dissent.subject import PLACES, DissentOverTraining, known
from zerosum.show.drawing import FigureModule

FIGURES: dict[str, FigureModule[DissentOverTraining]] = {
    "dissent-over-steps": over_steps,
    "dissent-by-frequency": frequency,
    "dissent-by-part": parts,
    "dissent-by-layer-over-steps": layers_over_steps,
}
"""File stem -> module, in the order of reading."""


def figures_of(over: DissentOverTraining) -> dict[str, FigureModule[DissentOverTraining]]:
    """Those that have something to show: a dissent that is known, those over steps at several checkpoints."""
    known_over_steps = any(math.isfinite(one.value) for place in PLACES for one in over.over_steps(place))
    in_layers = any(math.isfinite(value) for row in layers_over_steps.cells(over).values() for value in row)
    shown = {
        "dissent-over-steps": known_over_steps and len(over.documents) > 1,
        "dissent-by-frequency": any(one["token"]["dissent"]["N"] for one in over.last["frequency"]),
        "dissent-by-part": any(math.isfinite(known(one["dissent"])) for one in over.last["parameters"]),
        "dissent-by-layer-over-steps": in_layers and len(over.documents) > 1,
    }
    return {stem: module for stem, module in FIGURES.items() if shown[stem]}


__all__ = ["FIGURES", "figures_of"]
