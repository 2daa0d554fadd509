"""`zerosum curves`: what is in loss logs, and the same as plain CSV."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosum.cli.options import Reading, expand_option_groups
from zerosum.cli.output import make_folder, same_file
from zerosum.cli.sources import EXIT_CODES, AsJson, Sources, each, finish, print_json
from zerosum.errors import InputError

if TYPE_CHECKING:
    from zerosum.curves import LossCurve

LONGEST_NAME = 80  # characters of a file's name, so that any file system takes it

GROUP = "read"
EPILOG = EXIT_CODES


@expand_option_groups
def curves(
    sources: Sources,
    *,
    out: Annotated[
        Path | None,
        typer.Option(help="CSV file to write; of several sources, a folder. Replaces older files, never a source."),
    ] = None,
    join: Annotated[
        bool, typer.Option("--join", help="The sources are one run before and after its restarts: make one curve.")
    ] = False,
    read: Reading,
    as_json: AsJson = False,
) -> None:
    """Read loss logs of any known format, show what was understood and cleaned, and write them as plain CSV.

    The columns written are step,tokens,loss,lr; tokens and lr only where the source has them. Losses are in nats per
    token.
    """
    if out is not None and len(sources) > 1 and not join:
        if out.suffix.lower() == ".csv" and not _is_folder(out):
            raise InputError(f"{out}: several sources cannot be written to one file. Give --out a folder.")
        make_folder(out)
    read_curves, failed = each([(source, source) for source in sources], read)
    # All are read before anything is written: a file may be the log of a folder that is named later.
    protected = {*sources, *(curve.source for _, curve in read_curves)}
    if join:  # a run without one of its parts would be another curve
        parts = [] if failed else [(sources[0], [curve for _, curve in read_curves])]
        read_curves, unjoined = each(parts, read.join)
        failed += unjoined
    targets = _targets(out, [curve for _, curve in read_curves])
    jobs = [(source, (curve, path)) for (source, curve), path in zip(read_curves, targets, strict=True)]
    done, unwritten = each(jobs, lambda job: _written(*job, protected))
    failed += unwritten
    if as_json:
        print_json("curves", [_document(curve, path) for _, (curve, path) in done], failed)
    elif done:
        _show([curve for _, (curve, _) in done], [path for _, (_, path) in done if path is not None])
    finish(failed, len(sources))


def _targets(out: Path | None, curves: "Sequence[LossCurve]") -> Sequence[Path | None]:
    """Where each curve goes: nowhere, into the folder `out`, or to the file `out`."""
    if out is None or not _is_folder(out):
        return [out for _ in curves]
    return [out / f"{name}.csv" for name in file_names([curve.name for curve in curves])]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name too long, no permission: writing will say so
        return False


def file_names(names: Sequence[str]) -> list[str]:
    """File names that are valid and distinct on every file system, also one that ignores case.

    >>> file_names(["../a b", "A-B", ".."])
    ['a-b', 'A-B-2', 'curve']
    """
    taken: set[str] = set()
    safe = []
    for name in names:
        stem = re.sub("[^A-Za-z0-9._-]+", "-", name).strip("-.")[:LONGEST_NAME] or "curve"
        choice, number = stem, 1
        while choice.lower() in taken:
            number += 1
            choice = f"{stem}-{number}"
        taken.add(choice.lower())
        safe.append(choice)
    return safe


def _written(curve: "LossCurve", path: Path | None, protected: set[str]) -> "tuple[LossCurve, Path | None]":
    if path is not None:
        from zerosum.curves import write_curve

        if any(same_file(path, source) for source in protected):
            raise InputError(f"{path}: is a source, and would be lost. Choose another --out; it was not touched.")
        write_curve(curve, path)
    return curve, path


def _document(curve: "LossCurve", out: Path | None) -> dict[str, Any]:
    return {
        "name": curve.name,
        "source": curve.source,
        "format": curve.format,
        "columns": dict(curve.columns),
        "n_points": len(curve),
        "first_step": float(curve.step[0]),
        "last_step": float(curve.step[-1]),
        "first_loss": float(curve.loss[0]),
        "last_loss": float(curve.loss[-1]),
        "cleaning": list(map(str, curve.cleaning)),
        "cleaning_codes": list(curve.cleaning_codes),
        **({} if out is None else {"out": str(out)}),
    }


def _show(curves: "Sequence[LossCurve]", written: Sequence[Path]) -> None:
    from zerosum.show import terminal
    from zerosum.show.report import Report, Run

    terminal.show(Report("Loss curves", tuple(Run(curve.name, (curve,)) for curve in curves)), details=True)
    terminal.say(*(f"written: {path}" for path in written))
