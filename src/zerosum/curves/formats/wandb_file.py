"""W&B's offline `run-ID.wandb` files and the folders around them. Needs neither wandb nor a server nor the network."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from zerosum.curves import wire
from zerosum.curves._format import Choose, Columns, Format, columns_of_rows
from zerosum.curves._note import Note
from zerosum.curves.blocks import FILE_HEADER, log_records
from zerosum.curves.records import Damage
from zerosum.errors import InputError

# Field numbers of wandb_internal.proto.
RECORD_HISTORY, RECORD_RUN = 2, 17
HISTORY_ITEM, HISTORY_STEP, STEP_NUM = 1, 2, 1
ITEM_KEY, ITEM_NESTED_KEY, ITEM_JSON = 1, 2, 16
RUN_DISPLAY_NAME = 8
Row = dict[str, Any]


def _matches(head: bytes, name: str) -> bool:
    return head.startswith(FILE_HEADER)


def _read(paths: tuple[Path, ...], choose: Choose) -> Columns:
    damage = Damage()
    rows, title = _history(paths, damage)
    notes = list(damage.notes)
    if len(paths) > 1:
        notes.insert(
            0,
            Note(
                "several-files",
                f"{len(paths)} files of the same run id read one after the other, by the time in their names",
            ),
        )
    if damage.bad_records:
        notes.append(Note("damaged", f"{damage.bad_records} damaged records dropped"))
    if not rows:
        why = "; ".join(notes) or "the run logged nothing"
        raise InputError(f"{paths[0]}: no history ({why}). Give the file of a run that logged its loss.")
    return columns_of_rows(rows, choose, str(paths[-1]), notes=notes, format="wandb file", title=title)


def _history(paths: tuple[Path, ...], damage: Damage) -> tuple[list[Row], str]:
    """The logged rows, and the name of the run."""
    rows: list[Row] = []
    title = ""
    for path in paths:
        for record in log_records(path, damage):
            try:
                title = _add(record, rows) or title
            except wire.WireError:
                damage.bad_records += 1
    return rows, title


def _logged(paths: tuple[Path, ...]) -> Iterator[Row]:
    return iter(_history(paths, Damage())[0])


def _add(record: bytes, rows: list[Row]) -> str:
    """Append the row of a history record; return the name of the run from a run record."""
    for field, value in wire.fields(record):
        if field == RECORD_HISTORY:
            rows.append(_row(wire.message(value)))
        elif field == RECORD_RUN:
            return next((wire.text(v) for f, v in wire.fields(wire.message(value)) if f == RUN_DISPLAY_NAME), "")
    return ""


def _row(history: bytes) -> Row:
    row: Row = {}
    step: int | None = None
    for field, value in wire.fields(history):
        if field == HISTORY_ITEM:
            _add_item(wire.message(value), row)
        elif field == HISTORY_STEP:
            step = next((wire.signed(v) for f, v in wire.fields(wire.message(value)) if f == STEP_NUM), 0)
    if step is not None:
        row.setdefault("_step", step)
    return row


def _add_item(item: bytes, row: Row) -> None:
    keys: list[str] = []
    text = ""
    for field, value in wire.fields(item):
        if field in (ITEM_KEY, ITEM_NESTED_KEY):
            keys.append(wire.text(value))
        elif field == ITEM_JSON:
            text = wire.text(value)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return  # media and the like; a number is always valid
    _put(row, ".".join(keys), value)


def _put(row: Row, name: str, value: Any) -> None:
    # Logged dicts come whole, as one JSON object: {"nested": {"a": 1}} is the column "nested.a".
    waiting = [(name, value)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict) and "_type" not in value:  # histograms, images and tables have a _type
            waiting.extend((f"{name}.{key}", inner) for key, inner in value.items())
        elif not isinstance(value, list | dict):
            row[name] = value


def _by_run(files: Sequence[Path]) -> list[tuple[Path, ...]]:
    """A resumed run has a folder for each part; the file's name is its id, the folder's name begins with the time."""
    runs: dict[str, list[Path]] = defaultdict(list)
    for file in sorted(files, key=lambda file: file.parent.name.removeprefix("offline-")):
        runs[file.name].append(file)
    return [tuple(parts) for parts in runs.values()]


FORMAT = Format(
    name="W&B run file",
    named=("*.wandb",),
    matches=_matches,
    read=_read,
    rank=3,
    places=("run-*.wandb", "*run-*/run-*.wandb", "wandb/*run-*/run-*.wandb"),
    runs=_by_run,
    rows=_logged,
)
