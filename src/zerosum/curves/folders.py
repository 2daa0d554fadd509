"""Finds the loss log in a folder. Links that lead out of the folder are not followed."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from zerosum.curves._format import HEAD_BYTES, Format
from zerosum.curves._note import Note
from zerosum.errors import InputError

MOST = 10_000  # files that match a pattern; a folder of more is not a run's
MOST_OPENED = 200
OUR_LOG = "metrics.jsonl"  # what our training writes into a run directory


@dataclass(frozen=True)
class Log:
    """A loss log on disk. files: of one run, in order. format: None where it has to be recognised by the content."""

    files: tuple[Path, ...]
    format: Format | None
    notes: tuple[Note, ...] = ()


def run_log(folder: Path) -> Path:
    """The loss log of a run directory: our own where there is one, else the folder, in which `read_curve` looks."""
    ours = folder / OUR_LOG
    return ours if ours.is_file() else folder


def find_log(folder: Path, formats: Sequence[Format]) -> Log:
    """The one log in a run's folder: the nearest to the top, then in the order of `formats`. Others get a note.

    Raises InputError where there is none, or where there are several runs: it lists them.
    """
    candidates = [(form, runs) for form in formats if (runs := form.runs(_inside(folder, form.places)))]
    candidates = [(form, [run for run in runs if run]) for form, runs in candidates]
    candidates = [(form, runs) for form, runs in candidates if runs]
    if not candidates:
        return _only_file(folder, formats)
    candidates.sort(key=lambda each: min(len(file.relative_to(folder).parts) for run in each[1] for file in run))
    form, runs = candidates[0]
    if len(runs) > 1:
        example = runs[0][0] if len(runs[0]) == 1 else runs[0][0].parent
        raise InputError(
            f"{folder}: {len(runs)} runs in it ({_listed([_place(run, folder) for run in runs])}). "
            f"Name one of them: zerosum fit {shlex.quote(str(example))}"
        )
    beside = [_place(run, folder) for _, others in candidates[1:] for run in others if run != runs[0]]
    notes = (Note("other-logs", f"also in the folder and not read: {_listed(beside)}"),) if beside else ()
    return Log(runs[0], form if len(runs[0]) > 1 else None, notes)


def _only_file(folder: Path, formats: Sequence[Format]) -> Log:
    """A folder with a single file that is a log by its content, under any usual name."""
    patterns = {"*.log", *(name for form in formats for name in form.named)}
    files = _inside(folder, tuple(sorted(patterns)))[:MOST_OPENED]
    logs = [file for file in files if _is_log(file, formats)] or files
    if len(logs) == 1:
        return Log((logs[0],), None)
    what = f"{len(logs)} files could be one ({_listed([file.name for file in logs])})" if logs else "none is known"
    raise InputError(f"{folder}: a folder in which no loss log was found: {what}. Name the log file.")


def _is_log(file: Path, formats: Sequence[Format]) -> bool:
    try:
        with file.open("rb") as handle:
            head = handle.read(HEAD_BYTES)
    except OSError:
        return False
    return any(form.matches(head, file.name) for form in formats)


def _inside(folder: Path, places: Sequence[str]) -> list[Path]:
    """Regular files at these places; links that lead out of the folder are left out, and each file counts once."""
    root = folder.resolve()
    found: dict[Path, Path] = {}
    for place in places:
        try:
            for file in islice(folder.glob(place), MOST):
                real = file.resolve()
                if real.is_relative_to(root) and real.is_file():
                    found.setdefault(real, file)
        except (OSError, RuntimeError):  # no permission; links in a circle
            continue
    return sorted(found.values())


def _place(run: Sequence[Path], folder: Path) -> str:
    place = str(run[-1].relative_to(folder))
    return place if len(run) == 1 else f"{place} and {len(run) - 1} more"


def _listed(places: Sequence[str], most: int = 8) -> str:
    return ", ".join(map(repr, places[:most])) + (f" and {len(places) - most} more" if len(places) > most else "")
