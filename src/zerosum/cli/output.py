"""`--out`: a folder that is there before the work begins, and in which no source is ever written over."""

import platform
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerosum.cli.terminal import screen
from zerosum.errors import InputError
from zerosum.report.names import printable

if TYPE_CHECKING:
    from zerosum.deceleration import Analysis, Comparison

Out = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Write a page, tables as CSV, LaTeX and JSON, and figures into this folder. Never replaces a source.",
    ),
]
WRITTEN = ("report.html", "fits.*", "parameters.*", "comparison*.*", "figures/*")


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


def write_report(
    out: Path, sources: Iterable[str], analyses: "Sequence[Analysis]", comparisons: "Sequence[Comparison]" = ()
) -> Path:
    """Write the report of these curves into the folder `out`; return its page.

    sources: what must not be written over, beside the files the curves were read from.
    """
    protected = {*sources, *(one.fit.curve.source for one in analyses)}
    for place in (place for pattern in WRITTEN for place in out.glob(pattern)):
        if any(same_file(place, source) for source in protected):
            raise InputError(f"{place}: is a source, and would be lost. Choose another --out; it was not touched.")
    from zerosum.report import write_logs

    versions = {"python": platform.python_version(), **{name: version(name) for name in ("zerosum", "numpy", "scipy")}}
    provenance = {"command": " ".join(["zerosum", *sys.argv[1:]]), "machine": platform.platform(), "versions": versions}
    try:
        page: Path = write_logs(analyses, comparisons, out, provenance)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror or error}). Choose another --out.") from None
    return page


def say_written(page: Path | None) -> None:
    """Where the report is, if there is one; the path is not broken over lines."""
    if page is not None:
        where = printable(str(page), 1_000)
        screen().print(f"written: {where}; beside it tables (CSV, LaTeX, JSON) and figures/", soft_wrap=True)
