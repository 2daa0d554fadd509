"""Records that are measured once of a finished run and kept beside it. Loads no torch."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from zerosum.atomic import write_text
from zerosum.errors import InputError
from zerosum.runs import RunDirectory
from zerosum.sweep import SweptRun

T = TypeVar("T")


def read_stored(run: SweptRun, name: str, kind: type[T]) -> T | None:
    """The dataclass that `write_stored` wrote; None where it did not. Raises InputError where the file is damaged."""
    file = _file(run, name)
    if not file.is_file():
        return None
    try:
        return TypeAdapter(kind).validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise InputError(f"{file}: damaged. Delete it and start the same command again: it is made anew.") from error


def write_stored(run: SweptRun, name: str, record: Any) -> None:
    """Write a dataclass into the folder of what is measured of the run."""
    file = _file(run, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, json.dumps(asdict(record)) + "\n")


def _file(run: SweptRun, name: str) -> Path:
    return RunDirectory(run.folder).measured / name
