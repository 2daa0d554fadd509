"""`--out`: a folder that is there before the work begins, and in which no source is ever written over."""

import platform
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosum.cli.options import Details
from zerosum.cli.progress import busy
from zerosum.cli.sources import AsJson, Failure, each, print_json
from zerosum.errors import InputError

if TYPE_CHECKING:
    from zerosum.deceleration import Analysis, Comparison
    from zerosum.show.report import Report

Out = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Write a page, tables as CSV, LaTeX and JSON, and figures into this folder. Never replaces a source.",
    ),
]
PACKAGES = ("zerosum", "numpy", "scipy")


def make_folder(out: Path | None) -> None:
    """Make the folder of --out, if it was given. Call this before the work, which would be lost without a folder.

    Raises InputError where that is not possible.
    """
    if out is None:
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{out}: cannot be made a folder ({cause}). Choose another --out.") from None


def same_file(path: Path, other: str) -> bool:
    """Whether both are the same file on disk."""
    try:
        return path.samefile(other)
    except (OSError, ValueError):  # one of them is not there
        return False


def curves_report(analyses: "Sequence[Analysis]", comparisons: "Sequence[Comparison]" = ()) -> "Report":
    """The report on loss curves, and on pairs of them; with the n-gram ladder of each run that has one."""
    from zerosum.runs import ngrams_of
    from zerosum.show.report import Report, Run

    curves = [analysis.fit.curve for analysis in analyses]
    names = [curve.name for curve in curves]
    ladders = [ngrams_of(curve.source) for curve in curves]
    runs = tuple(
        Run(name, (analysis, *([ladder] if ladder else [])))
        for name, analysis, ladder in zip(names, analyses, ladders, strict=True)
    )
    title = names[0] if len(names) == 1 else f"{len(names)} loss curves"
    return Report(title, runs, tuple(comparisons), provenance=made_with())


def run_report(source: str, record: Any) -> "Report":
    """The report on what one verb measured of one run. source: its folder, which names it."""
    from zerosum.show.report import Report, Run

    name = Path(source).absolute().name
    return Report(name, (Run(name, (record,)),), provenance=made_with())


@dataclass(frozen=True)
class Answer:
    """Where the answer of a verb goes: to the terminal, as JSON to stdout, and into a folder."""

    details: Details = False
    out: Out = None
    as_json: AsJson = False

    def give(
        self,
        report: "Report | None",
        entry: str,
        documents: list[dict[str, Any]],
        failed: list[Failure],
        files: Mapping[str, Any],
        page: str = "report.html",
        sources: Iterable[str] = (),
        **more: Any,
    ) -> list[Failure]:
        """Write the report into the folder, print it or its JSON document; return why it could not be written.

        report: None where nothing was measured. entry, documents, failed, more: of the JSON document, as in
        `print_json`. files, page, sources: as in `write_report`, where `files` are its documents.
        """
        path, unwritten = write_report(self.out, report, files, sources, page) if report else (None, [])
        if self.as_json:
            print_json(entry, documents, failed + unwritten, path, **more)
        elif report:
            from zerosum.show import terminal

            terminal.show(report, self.details)
            say_written(path)
        return unwritten


def write_report(
    out: Path | None,
    report: "Report",
    documents: Mapping[str, Any],
    sources: Iterable[str] = (),
    page: str = "report.html",
) -> tuple[Path | None, list[Failure]]:
    """Write a report into the folder `out`, if there is one; return its page, or why there is none.

    documents: file name -> JSON. sources: what must not be written over. page: name of the page's file.
    """
    folders = [] if out is None else [(str(out), out)]
    pages, failed = each(folders, lambda folder: _write(folder, report, documents, sources, page))
    return (pages[0][1] if pages else None), failed


def _write(out: Path, report: "Report", documents: Mapping[str, Any], sources: Iterable[str], page: str) -> Path:
    from zerosum.show import folder

    given = list(sources)
    for place in (out / name for name in folder.names(report, documents, page)):
        if any(same_file(place, source) for source in given):
            raise InputError(f"{place}: is a source, and would be lost. Choose another --out; it was not touched.")
    with busy("writing the report"):
        written: Path = folder.write(report, out, documents, page)
    return written


def made_with(packages: Sequence[str] = PACKAGES) -> dict[str, Any]:
    """Provenance of what this call writes: command, machine, and versions of Python and these packages."""
    return {
        "command": shlex.join(["zerosum", *sys.argv[1:]]),
        "machine": platform.platform(),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in packages},
    }


def say_written(page: Path | None) -> None:
    """Print where the report is, if there is one; the path is not broken over lines."""
    from zerosum.show.names import printable
    from zerosum.show.terminal import screen

    if page is not None:
        where = printable(str(page), 1_000)
        screen().print(f"written: {where}; beside it tables (CSV, LaTeX, JSON) and figures/", soft_wrap=True)


def read_from(sources: Iterable[str], analyses: "Iterable[Analysis]") -> set[str]:
    """The files that must not be written over: as they were given, and as they were found in the folders given."""
    return {*sources, *(analysis.fit.curve.source for analysis in analyses)}
