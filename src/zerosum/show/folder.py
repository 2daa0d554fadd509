"""A report as files: a loop over sections writes each figure, each table, the documents, and last the page."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zerosum.atomic import new_file, write_text
from zerosum.show.drawing import Drawing, draw
from zerosum.show.page import html
from zerosum.show.report import Report
from zerosum.show.section import Section, present
from zerosum.show.table import Table, as_csv, as_latex, rows_as_csv

Links = list[tuple[str, list[tuple[str, str]]]]


def write(
    report: Report, folder: Path, documents: Mapping[str, Any], page: str = "report.html", *, for_print: bool = True
) -> Path:
    """Write `page`, tables as CSV and LaTeX, `documents` as JSON and `figures/` into a folder; return the page's path.

    documents: file name -> what `json.dumps` takes. Every file appears only when it is complete and replaces an older
    one of its name; other files stay. The page comes last, so that a page that is there finds its files.
    for_print: draw PDFs that fit two columns and one column of a journal; else the PDF is the figure of the page, which
    takes half the time.
    """
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    sections = present(report)
    drawn = [section for section in sections if section.figure]
    drawings = {section.stem: _figure(section, report, folder / "figures", for_print) for section in drawn}
    files: Links = [(section.title, _figure_links(section, for_print)) for section in drawn]
    for table in (table for section in sections for table in section.tables(report)):
        files.append((table.caption, _table(table, folder)))
    for name, document in documents.items():
        write_text(folder / name, json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n")
        files.append((name, [(name, "JSON")]))
    path = folder / page
    write_text(path, html(report, drawings, [(name, links) for name, links in files if links]))
    return path


def names(report: Report, documents: Iterable[str], page: str = "report.html") -> list[str]:
    """The files that `write` would write, relative to the folder: sources among them must not be lost."""
    sections = present(report)
    links = [link for section in sections if section.figure for link, _ in _figure_links(section)]
    tables = [table for section in sections for table in section.tables(report)]
    return [*links, *(name for table in tables for name, *_ in _renderings(table)), *documents, page]


def write_tables(report: Report, folder: Path) -> None:
    """Write only the tables of the sections, as CSV and LaTeX, into a folder that is there."""
    for table in (table for section in present(report) for table in section.tables(report)):
        _table(table, folder)


def _figure(section: Section, report: Report, folder: Path, for_print: bool) -> Drawing:
    drawing = draw(section.figure, report, for_print)
    named = (("", "svg", drawing.wide), ("", "pdf", drawing.pdf), ("-column", "pdf", drawing.column))
    for suffix, kind, content in named:
        if content:
            with new_file(folder / f"{section.stem}{suffix}.{kind}") as part:
                part.write_bytes(content)
    rows: Sequence[Mapping[str, Any]] = section.figure.numbers(report)
    write_text(folder / f"{section.stem}.csv", rows_as_csv(rows))
    return drawing


def _figure_links(section: Section, for_print: bool = True) -> list[tuple[str, str]]:
    stem = f"figures/{section.stem}"
    kinds = (("svg", "SVG"), ("pdf", "PDF for two columns" if for_print else "PDF"), ("csv", "CSV"))
    column = [(f"{stem}-column.pdf", "PDF for one column")] if for_print else []
    return [*((f"{stem}.{kind}", text) for kind, text in kinds), *column]


def _renderings(table: Table) -> Iterator[tuple[str, str, Callable[[Table], str]]]:
    """(file name, what it is, renderer) of each file of a table."""
    if table.name and table.shown_on("csv")[0]:
        yield f"{table.name}.csv", "CSV", as_csv
    if table.name and table.shown_on("latex")[0]:
        yield f"{table.name}.tex", "LaTeX", as_latex


def _table(table: Table, folder: Path) -> list[tuple[str, str]]:
    links = []
    for name, kind, render in _renderings(table):
        write_text(folder / name, render(table))
        links.append((name, kind))
    return links
