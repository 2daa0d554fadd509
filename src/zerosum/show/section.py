"""A section of every page, terminal answer and folder: one file in `sections/`, found there.

A section's file has a docstring and

    TITLE = "Loss curves and their fits"
    PLACE = 10                                  # order on the page, low first
    def absent(report) -> str | None            # None: there is something to show; else why not, "" says nothing

and any of

    OF_ONE_RUN: type                            # the record it shows, of one run; where there are others, that is named
    def headline(report) -> str                 # one sentence for the top of the page
    def sentences(report) -> Iterable[str]      # what the numbers say; plain text, which the renderer escapes
    def answer(report) -> Iterable[Table | str] # the terminal's first screen
    def tables(report) -> Iterable[Table]       # on the page folded under the figure; as CSV and LaTeX in a folder
    def html(report) -> Markup                  # what neither sentences nor tables can say
    FORMULAS: dict[str, str]                    # term -> HTML, for "How each number was made"
    HOW_TO_READ: str                            # of its one figure, which has these three functions, too
    def plot(report, layout="wide") -> d.Figure # for a desktop, a phone or a journal, see `drawing.Layout`
    def alt(report) -> str                      # alt text
    def numbers(report) -> list[dict]           # what is drawn, at full precision, as rows of its CSV
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from markupsafe import Markup

from zerosum.show import sections
from zerosum.show.report import Report
from zerosum.show.table import Table

Shown = Table | str


def _nothing(_: Report) -> tuple[()]:
    return ()


def with_sentences(drawn: str, sentences: Callable[[Report], Iterable[str]]) -> Callable[[Report], str]:
    """Alt text of a figure: what is drawn, and what the sentences of its section say of it."""
    return lambda report: " ".join([drawn, *sentences(report)])


@dataclass(frozen=True)
class Section:
    """One file of `sections/`. stem: the file's name with hyphens, also of the files of its figure."""

    stem: str
    title: str
    place: int | float
    absent: Callable[[Report], str | None]
    of_one_run: type | None = None
    headline: Callable[[Report], str] = lambda _: ""
    sentences: Callable[[Report], Iterable[str]] = _nothing
    answer: Callable[[Report], Iterable[Shown]] = _nothing
    tables: Callable[[Report], Iterable[Table]] = _nothing
    html: Callable[[Report], Markup] | None = None
    formulas: Mapping[str, str] = field(default_factory=dict)
    figure: Any = None

    @classmethod
    def of(cls, module: ModuleType) -> "Section":
        """From its file."""
        names = ("headline", "sentences", "answer", "tables", "html")
        given = {name: getattr(module, name) for name in names if hasattr(module, name)}
        kind = getattr(module, "OF_ONE_RUN", None)
        if kind and "headline" in given:
            given["headline"] = _naming_its_run(kind, given["headline"])
        return cls(
            stem=module.__name__.rpartition(".")[2].replace("_", "-"),
            title=module.TITLE,
            place=module.PLACE,
            absent=module.absent,
            of_one_run=kind,
            formulas=getattr(module, "FORMULAS", {}),
            figure=module if hasattr(module, "plot") else None,
            **given,
        )

    def title_in(self, report: Report) -> str:
        """Its title, with the run that it shows where the report is on several."""
        run = _run_of(report, self.of_one_run) if self.of_one_run else ""
        return f"{self.title}: {run}" if run else self.title


def _run_of(report: Report, kind: type) -> str:
    """Label of the run that has this record; "" where the report has no other run."""
    return report.each(kind)[0][0] if len(report.runs) > 1 else ""


def _naming_its_run(kind: type, headline: Callable[[Report], str]) -> Callable[[Report], str]:
    def named(report: Report) -> str:
        text, run = headline(report), _run_of(report, kind)
        return f"{run}: {text}" if text and run else text

    return named


@cache
def all_sections() -> tuple[Section, ...]:
    """Every section, in the order of the page."""
    names = [info.name for info in iter_modules(sections.__path__) if not info.name.startswith("_")]
    known = [Section.of(import_module(f"{sections.__name__}.{name}")) for name in names]
    return tuple(sorted(known, key=lambda section: (section.place, section.stem)))


def present(report: Report) -> list[Section]:
    """The sections that have something to show of this report."""
    return [section for section in all_sections() if section.absent(report) is None]


def left_out(report: Report) -> list[tuple[str, str]]:
    """(title, why) of the sections that have nothing to show, where there is a reason to give."""
    return [(section.title, why) for section in all_sections() if (why := section.absent(report))]
