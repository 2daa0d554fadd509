"""`--out`: a folder that is there before the work begins, and in which no source is ever written over."""

import platform
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosum.cli.progress import busy
from zerosum.cli.sources import Failure, each
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


def make_folder(out: Path) -> None:
    """Make the folder, or say why that is not possible."""
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
    """The report on loss curves, and on pairs of them."""
    from zerosum.show.report import Report, Run

    names = [analysis.fit.curve.name for analysis in analyses]
    runs = tuple(Run(name, (analysis,)) for name, analysis in zip(names, analyses, strict=True))
    title = names[0] if len(names) == 1 else f"{len(names)} loss curves"
    return Report(title, runs, tuple(comparisons), provenance=made_with())


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


def made_with() -> dict[str, Any]:
    """How this call makes what it writes, for the record."""
    return {
        "command": shlex.join(["zerosum", *sys.argv[1:]]),
        "machine": platform.platform(),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
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
