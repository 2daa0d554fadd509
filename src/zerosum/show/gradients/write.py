"""Per-token gradients as files: a page, tables, and each figure as SVG, PDF and CSV."""

from pathlib import Path
from typing import Any

from zerosum.atomic import write_text
from zerosum.show.drawing import Drawing, draw_for_print, write_figure
from zerosum.show.drawing.files import inert
from zerosum.show.gradients import tables
from zerosum.show.gradients.figures import figures_of
from zerosum.show.gradients.page import html
from zerosum.show.gradients.subject import GradientsOverTraining

TABLES = {"halvings": tables.halvings, "first-order": tables.predictions}
"""File stem -> table; those without a row are not written."""


def write_gradients(over: GradientsOverTraining, folder: Path, provenance: dict[str, Any]) -> Path:
    """Write `gradients.html`, `halvings.csv`, `first-order.csv` and `figures/` into a folder; return the page's path.

    provenance: how this was made, shown at the end of the page. Every file appears only when it is complete and
    replaces an older one of its name; other files stay. The page comes last.
    """
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    drawings = write_figures(over, folder / "figures")
    for stem, made in TABLES.items():
        table = made(over)
        if len(table):
            write_text(folder / f"{stem}.csv", inert(table).to_csv(index=False, lineterminator="\n"))
    page = folder / "gradients.html"
    write_text(page, html(over, drawings, provenance))
    return page


def write_figures(over: GradientsOverTraining, folder: Path) -> dict[str, Drawing]:
    """Write every figure that has something to show into a folder that is there; return them by their stem."""
    drawings = {}
    for stem, module in figures_of(over).items():
        drawings[stem] = draw_for_print(module, over)
        write_figure(drawings[stem], module.table(over), folder, stem)
    return drawings
