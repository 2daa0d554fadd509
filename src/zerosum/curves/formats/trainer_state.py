"""Hugging Face Trainer's `trainer_state.json`, or the output folder that holds one in each checkpoint."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from zerosum.curves._format import Choose, Columns, Format, columns_of_rows, flat
from zerosum.curves._note import Note
from zerosum.curves.json_file import load_object
from zerosum.errors import InputError

SUMMARY = ("train_runtime", "train_samples_per_second")  # only the row at the end of training has these


def _matches(head: bytes, name: str) -> bool:
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and b'"log_history"' in head


def _read(paths: tuple[Path, ...], choose: Choose) -> Columns:
    path = paths[-1]
    state = load_object(path)
    history = state.get("log_history")
    if not isinstance(history, list):
        raise InputError(f"{path}: no log_history list in it. Give a trainer_state.json of the Hugging Face Trainer.")
    rows = [flat(row) for row in history if isinstance(row, dict)]
    notes = []
    if len(paths) > 1:
        notes.append(
            Note(
                "several-files",
                f"the newest of {len(paths)} trainer_state.json was read: {path.parent.name}/{path.name}",
            )
        )
    if len(rows) < len(history):
        notes.append(
            Note("entries-ignored", f"{len(history) - len(rows)} entries of log_history that are no objects dropped")
        )
    averages = [row for row in rows if any(key in row for key in SUMMARY) and row.pop("train_loss", None) is not None]
    if averages:
        notes.append(Note("entries-ignored", "train_loss of the last row, an average over the whole run, was ignored"))
    every = state.get("logging_steps")
    if isinstance(every, int) and not isinstance(every, bool) and every > 1:
        notes.append(
            Note("averaged", f"each loss is a mean over the steps since the row before (logging_steps {every:,})")
        )
    if not rows:
        raise InputError(f"{path}: log_history has no rows. Give the state of a later checkpoint.")
    return columns_of_rows(rows, choose, str(path), notes=notes, format="trainer_state")


def _logged(paths: tuple[Path, ...]) -> Iterator[dict[str, Any]]:
    history = load_object(paths[-1]).get("log_history")
    return (flat(row) for row in history if isinstance(row, dict)) if isinstance(history, list) else iter(())


def _newest_last(files: Sequence[Path]) -> list[tuple[Path, ...]]:
    return [tuple(sorted(files, key=_steps_done))]


def _steps_done(path: Path) -> float:
    """Steps trained: in a checkpoint's name; the state that `save_state` writes beside them has to be opened."""
    numbered = re.fullmatch(r"checkpoint-(\d{1,15})", path.parent.name)
    if numbered:
        return float(numbered[1])
    try:
        done: Any = load_object(path).get("global_step")
    except InputError:
        return -1.0
    # One update more than none: of two equally far states the one beside the checkpoints also has the last rows.
    return min(done, 10**15) + 0.5 if isinstance(done, int) else -1.0


FORMAT = Format(
    name="trainer_state.json",
    named=("trainer_state*.json",),
    matches=_matches,
    read=_read,
    rank=5,
    places=("trainer_state.json", "checkpoint-*/trainer_state.json"),
    runs=_newest_last,
    rows=_logged,
)
