"""Records of checkpoints on disk: one JSON file for each, beside everything its numbers depend on. Needs no torch."""

import json
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from zerosum.atomic import write_text
from zerosum.dissent._over_training import DissentOverTraining, over_training
from zerosum.dissent._record import Dissent

FORMAT = 2  # of the record in a file; files of another format are measured anew
OF_ONE_CHECKPOINT = ("weights", "config")  # entries of a key that differ between checkpoints of one run
Key = dict[str, Any]


@cache
def _adapter() -> Any:
    return TypeAdapter(Dissent)  # beartype knows no TypeAdapter[...], so no type of ours is named above


def write_record(file: Path, key: Key, record: Dissent) -> None:
    """Write a record without its numbers per token. key: everything the numbers depend on, as JSON."""
    measured = json.loads(_adapter().dump_json(record, exclude={"per_token"}))
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, json.dumps({"how": key | {"format": FORMAT}, "measured": measured}, indent=1) + "\n")


def read_record(file: Path, key: Key) -> Dissent | None:
    """The record in a file; None where it was measured under another key, is damaged, or is not there."""
    stored = _read(file)
    return stored[1] if stored is not None and stored[0] == key | {"format": FORMAT} else None


def read_dissent(folder: Path, name: str = "") -> DissentOverTraining | None:
    """The records in a run's folder of dissent; None where there is none.

    All of them were measured on the same tokens in the same way: where the folder holds several measurements, because
    a later one was stopped, it is the one of most checkpoints, of these the latest. name: of the run.
    """
    measurements: dict[str, list[tuple[float, Dissent]]] = defaultdict(list)
    for file in sorted(folder.glob("step-*.json")):
        if (stored := _read(file)) is not None:
            same = {entry: value for entry, value in stored[0].items() if entry not in OF_ONE_CHECKPOINT}
            measurements[json.dumps(same, sort_keys=True)].append((file.stat().st_mtime, stored[1]))
    largest = max(measurements.values(), key=lambda rows: (len(rows), max(time for time, _ in rows)), default=[])
    return over_training(name, [record for _, record in largest])


def _read(file: Path) -> tuple[Key, Dissent] | None:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        key = content["how"]
        return (key, _adapter().validate_python(content["measured"])) if key.get("format") == FORMAT else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ValidationError):
        return None
