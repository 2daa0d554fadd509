"""Dissent as files: the whole document, tables as CSV at full precision, and each figure as SVG, PDF and CSV."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zerosum.atomic import write_text
from zerosum.show.dissent import tables
from zerosum.show.dissent.figures import figures_of
from zerosum.show.dissent.subject import DissentOverTraining
from zerosum.show.drawing import draw_for_print, write_figure
from zerosum.show.drawing.files import inert


def write_dissent(over: DissentOverTraining, folder: Path, errors: Sequence[dict[str, str]] = ()) -> None:
    """Write `dissent.json`, `checkpoints.csv`, `parameters.csv`, `layers.csv`, `frequency.csv`, `reached.csv` and
    `figures/` into a folder.

    errors: {source, message} of what could not be used, which the JSON repeats. Every file appears only when it is
    complete and replaces an older one of its name; other files stay.
    """
    figures = folder / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    document: dict[str, Any] = {"checkpoints": list(over.documents)}
    document |= {"first_reached": [one.found for one in over.reached], "errors": list(errors)}
    write_text(folder / "dissent.json", json.dumps(document, indent=2, allow_nan=False) + "\n")
    found = {"checkpoints": tables.checkpoints(over), "frequency": tables.frequency(over)}
    found |= {name: tables.parts(over, name) for name in ("parameters", "layers")}
    found |= {"reached": tables.reached(over)} if over.reached else {}
    for name, table in found.items():
        write_text(folder / f"{name}.csv", inert(table).to_csv(index=False, lineterminator="\n"))
    for stem, module in figures_of(over).items():
        write_figure(draw_for_print(module, over), module.table(over), figures, stem)
