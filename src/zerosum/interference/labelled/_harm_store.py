"""Harm matrices kept with a run: one JSON file for each checkpoint and grouping, with a checksum."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from zerosum.errors import Damaged
from zerosum.interference.labelled._harm_matrix import HarmMatrix
from zerosum.record import Record
from zerosum.sharing import ResultCache, read_result

FORMAT = 2  # of the record in a file; files of another format are refused


@dataclass(frozen=True, repr=False)
class HarmMatrices(Record):
    """The harm matrices of a run, of each grouping that of the latest step."""

    matrices: tuple[HarmMatrix, ...]


@cache
def _adapter() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(HarmMatrix)  # beartype knows no TypeAdapter[...]


def write_harms(folder: Path, matrix: HarmMatrix) -> Path:
    """Write the matrix into a folder, in place of an earlier one of its step and grouping; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    step = "unknown" if matrix.step is None else str(matrix.step)
    cache = ResultCache(folder, {"format": FORMAT, "by": matrix.by, "step": matrix.step})
    piece = f"step-{step}-{matrix.by}"
    cache.add(piece, json.loads(_adapter().dump_json(matrix)))
    return cache.file(piece)


def read_harms(folder: Path) -> HarmMatrices | None:
    """The matrices in a folder; None where there is none. Raises Damaged where a file cannot be used."""
    remedy = "Start the same zerosum step --by command again: it measures this step anew."
    latest: dict[str, HarmMatrix] = {}
    for file in sorted(folder.glob("step-*.json")):
        stored = read_result(file)
        if stored is None:
            raise Damaged(file.parent, f"{file.name} has changed since it was written", remedy)
        if (matrix := _record(*stored)) is None:
            raise Damaged(file.parent, f"{file.name} is of another version of zerosum", remedy)
        known = latest.get(matrix.by)
        if known is None or (known.step or 0) <= (matrix.step or 0):
            latest[matrix.by] = matrix
    return HarmMatrices(tuple(latest[by] for by in sorted(latest))) if latest else None


def _record(key: dict[str, Any], document: dict[str, Any]) -> HarmMatrix | None:
    from pydantic import ValidationError

    if key.get("format") != FORMAT:
        return None
    try:
        matrix: HarmMatrix = _adapter().validate_python(document)
    except (ValidationError, TypeError):
        return None
    return matrix
