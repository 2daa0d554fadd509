"""The HTML page: a loop over sections. One file, no script, no request; the template escapes what a user named."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from zerosum.show.drawing import Drawing, inline_svg
from zerosum.show.names import printable
from zerosum.show.report import Missing, Report
from zerosum.show.section import Section, left_out, present
from zerosum.show.table import Column, Table, Text, on_page

HEADLINES = 3
Shown = tuple[Table, list[Column], list[list[Text]]]


@dataclass(frozen=True)
class FigureOnPage:
    """One figure in both layouts; style sheets show one of them."""

    stem: str
    how_to_read: str
    wide: Markup
    narrow: Markup


@dataclass(frozen=True)
class SectionOnPage:
    """A section, ready for the template."""

    stem: str
    title: str
    sentences: list[str]
    figure: FigureOnPage | None
    html: Markup | None
    tables: list[Shown]


def html(report: Report, drawings: Mapping[str, Drawing], files: list[tuple[str, list[tuple[str, str]]]]) -> str:
    """The whole page. drawings: of the sections' figures, by stem. files: (name, [(link, text)]) written beside it."""
    shown = present(report)
    sections = [_section(section, report, drawings) for section in shown]
    headlines = [text for section in shown if (text := section.headline(report))]
    missing = [*report.missing, *(Missing(title, why) for title, why in left_out(report))]
    page: str = _template().render(
        title=report.title,
        headlines=headlines[:HEADLINES],
        first=next((section.figure for section in sections if section.figure), None),
        sections=sections,
        missing=missing,
        formulas={term: text for section in shown for term, text in section.formulas.items()},
        provenance=[(name, list(flat(value)) or [("", "nothing")]) for name, value in report.provenance.items()],
        files=files,
    )
    return page


def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("zerosum.show", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["printable"] = printable
    return environment.get_template("page.html.j2")


def _section(section: Section, report: Report, drawings: Mapping[str, Drawing]) -> SectionOnPage:
    tables = [(table, table.shown_on("page")[0], on_page(table)) for table in section.tables(report)]
    return SectionOnPage(
        stem=section.stem,
        title=section.title_in(report),
        sentences=list(section.sentences(report)),
        figure=_figure(section, report, drawings[section.stem]) if section.stem in drawings else None,
        html=section.html(report) if section.html else None,
        tables=[shown for shown in tables if shown[1]],
    )


def _figure(section: Section, report: Report, drawing: Drawing) -> FigureOnPage:
    text = printable(section.figure.alt(report), longest=4_000)
    stem = section.stem
    wide, narrow = inline_svg(drawing.wide, f"{stem}-wide", text), inline_svg(drawing.narrow, f"{stem}-narrow", text)
    return FigureOnPage(stem, section.figure.HOW_TO_READ, wide, narrow)


def flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested provenance as (dotted name, text) rows.

    >>> list(flat({"versions": {"numpy": "2.4"}, "seeds": [0, 1]}))
    [('versions.numpy', '2.4'), ('seeds', '0, 1')]
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple) and not any(isinstance(inner, Mapping) for inner in value):
        yield name, ", ".join(map(str, value))
    elif isinstance(value, list | tuple):
        for k, inner in enumerate(value):
            yield from flat(inner, f"{name}.{k}")
    else:
        yield name, str(value)
