"""The sections on per-token gradients, for the page of a run as it still is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from zerosum.gradients import GradientsOverTraining
from zerosum.show import folder, page
from zerosum.show.drawing import Drawing
from zerosum.show.report import Report, Run
from zerosum.show.section import all_sections, left_out, present
from zerosum.show.table import Table as NewTable
from zerosum.show.table import on_page
from zerosum.show.tables import Cell, Table


@dataclass(frozen=True)
class Part:
    """One section, as the template of the run's page has it."""

    stem: str
    title: str
    sentences: list[str]
    figure: page.FigureOnPage | None
    tables: list[Table]


@dataclass(frozen=True)
class Gradients:
    """Everything on per-token gradients. absent: (title, why) of sections that are left out."""

    parts: list[Part]
    absent: list[tuple[str, str]]
    formulas: Mapping[str, Markup]


def report_on(over: GradientsOverTraining) -> Report:
    """The report on gradients alone."""
    return Report(over.name, (Run(over.name, (over,)),))


def gradients(over: GradientsOverTraining, drawings: Mapping[str, Drawing]) -> Gradients:
    """What to show. drawings: of its figures and of any others, by their stem."""
    report = report_on(over)
    parts = []
    for section in present(report):
        figure = section.figure and page._figure(section, report, drawings[section.stem])
        tables = [table for table in section.tables(report) if table.shown_on("page")[0]]
        sentences = list(section.sentences(report))
        parts.append(Part(section.stem, section.title, sentences, figure, [_old(table) for table in tables]))
    formulas = {
        term: Markup(text)  # noqa: S704 - ours
        for one in all_sections()
        if "gradient" in one.stem
        for term, text in one.formulas.items()
    }
    return Gradients(parts, left_out(report), formulas)


def write_figures(over: GradientsOverTraining, to: Path) -> dict[str, Drawing]:
    """Write every figure that has something to show; return them by their stem."""
    report = report_on(over)
    return {one.stem: folder._figure(one, report, to) for one in present(report) if one.figure}


def _old(table: NewTable) -> Table:
    columns = tuple((column.head or column.name, column.unit) for column in table.shown_on("page")[0])
    rows = tuple(tuple(Cell(cell.main, cell.below, cell.note) for cell in row) for row in on_page(table))
    return Table(table.caption, columns, rows)
