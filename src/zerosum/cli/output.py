"""`--out`: a folder that is there before the work begins, and in which no source is ever written over."""

import platform
import shlex
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosum.cli.progress import busy
from zerosum.cli.sources import Failure, each
from zerosum.cli.terminal import screen
from zerosum.errors import InputError
from zerosum.show.names import printable

if TYPE_CHECKING:
    from zerosum.deceleration import Analysis, Comparison

Out = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Write a page, tables as CSV, LaTeX and JSON, and figures into this folder. Never replaces a source.",
    ),
]
PACKAGES = ("zerosum", "numpy", "scipy")
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


def reported(
    out: Path | None,
    sources: Iterable[str],
    analyses: "Sequence[Analysis]",
    comparisons: "Sequence[Comparison]" = (),
    failed: Sequence[Failure] = (),
) -> tuple[Path | None, list[Failure]]:
    """Write the report of these curves into the folder `out`, if there is one; return its page, or why there is none.

    sources: what must not be written over, beside the files the curves were read from. failed: what could not be used.
    """
    wanted = [(str(out), out)] if out is not None and analyses else []
    errors = [{"source": one.source, "message": one.message} for one in failed]
    pages, unwritten = each(wanted, lambda folder: _written(folder, sources, analyses, comparisons, errors))
    return (pages[0][1] if pages else None), unwritten


def _written(
    out: Path,
    sources: Iterable[str],
    analyses: "Sequence[Analysis]",
    comparisons: "Sequence[Comparison]",
    errors: Sequence[dict[str, str]],
) -> Path:
    from zerosum.show import write_logs

    protected = {*sources, *(one.fit.curve.source for one in analyses)}
    for place in (place for pattern in WRITTEN for place in out.glob(pattern)):
        if any(same_file(place, source) for source in protected):
            raise InputError(f"{place}: is a source, and would be lost. Choose another --out; it was not touched.")
    with busy("writing the report"):
        page: Path = write_logs(analyses, comparisons, out, made_with(), errors)
    return page


def made_with() -> dict[str, Any]:
    """How this call makes what it writes, for the record."""
    return {
        "command": shlex.join(["zerosum", *sys.argv[1:]]),
        "machine": platform.platform(),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
    }


def say_written(page: Path | None) -> None:
    """Where the report is, if there is one; the path is not broken over lines."""
    if page is not None:
        where = printable(str(page), 1_000)
        screen().print(f"written: {where}; beside it tables (CSV, LaTeX, JSON) and figures/", soft_wrap=True)
