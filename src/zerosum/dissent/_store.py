"""Records of checkpoints on disk: one JSON file for each, beside everything its numbers depend on. Needs no torch."""

import json
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from zerosum.dissent._over_training import DissentOverTraining, over_training
from zerosum.dissent._record import Dissent
from zerosum.errors import Damaged
from zerosum.sharing import ResultCache, own_place, read_result

FORMAT = 2  # of the record in a file; files of another format are measured anew
OF_ONE_CHECKPOINT = ("weights", "config", "problems")  # entries of a key that differ between checkpoints of one run
Key = dict[str, Any]


@cache
def _adapter() -> Any:
    return TypeAdapter(Dissent)  # beartype knows no TypeAdapter[...], so no type of ours is named above


class StoredRecords(ResultCache):
    """The records of a run's checkpoints measured under one key, a JSON file for each.

    key: everything the numbers depend on, as JSON.
    """

    def __init__(self, folder: Path, key: Key):
        super().__init__(folder, key | {"format": FORMAT})

    def read(self, piece: str) -> dict[str, Any] | None:
        """The document of a record; None where it is not there, damaged, or of another key."""
        document = super().read(piece)
        return document if document is not None and _record(document) is not None else None

    def record(self, piece: str) -> Dissent | None:
        """The record of a checkpoint, without its numbers per token; None where it has to be measured."""
        document = super().read(piece)
        return None if document is None else _record(document)


def own_folder(default: Path, piece: str, key: Key) -> Path:
    """The folder at `default`, or one beside it, that a measurement belongs to. piece: its file. key: its cache key."""

    def fits(folder: Path) -> bool:
        stored = {file.stem: read_result(file) for file in folder.glob("step-*.json")}
        keys = {name: found[0] for name, found in stored.items() if found is not None}
        own = keys.get(piece, key)
        same = bool(own.get("problems")) or all(own.get(name) == key.get(name) for name in ("weights", "config"))
        return same and all(_common(other) == _common(key) for other in keys.values())

    return own_place(default, _common(key), fits)


def _common(key: Key) -> Key:
    """What measurements in one folder have in common."""
    return {entry: value for entry, value in key.items() if entry not in (*OF_ONE_CHECKPOINT, "zerosum", "format")}


def to_document(record: Dissent) -> dict[str, Any]:
    """A record as JSON, without its numbers per token."""
    document: dict[str, Any] = json.loads(_adapter().dump_json(record, exclude={"per_token"}))
    return document


def _record(document: dict[str, Any]) -> Dissent | None:
    try:
        record: Dissent = _adapter().validate_python(document)
    except (ValidationError, TypeError):
        return None
    return record


def read_dissent(folder: Path, name: str = "") -> DissentOverTraining | None:
    """The records in a run's folder of dissent; None where there is none.

    All of them were measured on the same tokens in the same way: where the folder holds several measurements, because
    a later one was stopped, it is the one of most checkpoints, of these the latest. name: of the run.
    Raises InputError where a file has changed since it was written.
    """
    measurements: dict[str, list[tuple[float, Dissent]]] = defaultdict(list)
    for file in sorted(folder.glob("step-*.json")):
        if (stored := _read(file)) is not None:
            same = {entry: value for entry, value in stored[0].items() if entry not in OF_ONE_CHECKPOINT}
            measurements[json.dumps(same, sort_keys=True)].append((file.stat().st_mtime, stored[1]))
    largest = max(measurements.values(), key=lambda rows: (len(rows), max(time for time, _ in rows)), default=[])
    return over_training(name, [record for _, record in largest])


def _read(file: Path) -> tuple[Key, Dissent] | None:
    """Key and record in a file; None where another version of zerosum wrote it."""
    if (stored := read_result(file)) is None:
        raise damaged(file)
    key, record = stored[0], _record(stored[1])
    return (key, record) if record is not None and key.get("format") == FORMAT else None


def damaged(file: Path) -> Damaged:
    """The error for a file that has changed since it was written."""
    remedy = "Start the same zerosum dissent command again: it measures this step anew."
    return Damaged(file.parent, f"{file.name} has changed since it was written", remedy)
