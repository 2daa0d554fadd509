"""What a page shows of per-token gradients: a section of the page on a run, or a page of its own."""

from dataclasses import dataclass
from typing import Any

from zerosum.show import old_page as page
from zerosum.show.drawing import Drawing
from zerosum.show.gradients import tables, words
from zerosum.show.gradients.figures import FIGURES, why_absent
from zerosum.show.gradients.subject import GradientsOverTraining
from zerosum.show.names import printable
from zerosum.show.old_page import FigureOnPage
from zerosum.show.tables import Table

NOTES = 12  # on a page


@dataclass(frozen=True)
class Section:
    """said: sentences. figures: in their order. absent: (title, why) of figures that are left out. tables: by figure.

    unsure: why numbers have no interval. notes: of the measurement, untrusted.
    """

    said: tuple[str, ...]
    figures: tuple[FigureOnPage, ...]
    absent: tuple[tuple[str, str], ...]
    tables: dict[str, Table]
    unsure: tuple[str, ...]
    notes: tuple[str, ...]


def section(over: GradientsOverTraining, drawings: dict[str, Drawing]) -> Section:
    """What to show. drawings: of its figures and of any others, by their stem."""
    shown = {"gradient-opposition": tables.checkpoints(over), "gradient-parts": tables.layers(over)}
    if any(one.changes is not None for one in over.checkpoints):
        shown["gradient-first-order"] = tables.first_order(over)
    return Section(
        said=tuple(words.summary(over)),
        figures=tuple(page.on_page(stem, FIGURES[stem], over, drawings[stem]) for stem in FIGURES if stem in drawings),
        absent=tuple((FIGURES[stem].TITLE, why) for stem, why in why_absent(over).items()),
        tables=shown,
        unsure=tuple(tables.without_interval(over)),
        notes=tuple(words.notes([(one.step, one.notes) for one in over.checkpoints]))[:NOTES],
    )


def html(over: GradientsOverTraining, drawings: dict[str, Drawing], provenance: dict[str, Any]) -> str:
    """A page on per-token gradients alone."""
    name = printable(over.name)
    return page.render(
        "gradients/page.html.j2", provenance, title=name or "Per-token gradients", gradients=section(over, drawings)
    )
