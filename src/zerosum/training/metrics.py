"""`metrics.jsonl`: one row for each update, in order. A killed process can leave its last row incomplete."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from zerosum.atomic import new_file


@dataclass(frozen=True)
class Row:
    """The log of update `step` (1 is the first). tokens_seen: predicted tokens of updates 1 to `step`.

    loss: mean over the batch before the update, nats per token. lr: learning rate of the update. grad_norm: Euclidean
    norm of the gradient before clipping.
    """

    step: int
    tokens_seen: int
    loss: float
    lr: float
    grad_norm: float


def read_rows(path: Path, first: int = 0) -> list[dict[str, Any]]:
    """The complete rows first + 1, first + 2, ... at the start of the file, up to a gap or an incomplete line."""
    return [json.loads(line) for line in _complete_lines(path, first)]


def cut(path: Path, rows: int, first: int = 0) -> None:
    """Shorten the file to its first `rows` rows, all or nothing. first: step before the first row."""
    lines = _complete_lines(path, first)[:rows]
    with new_file(path) as part:
        part.write_bytes(b"".join(lines))


class MetricsLog:
    """Appends rows. Each row is handed to the operating system at once; `sync` also waits for the disk."""

    def __init__(self, path: Path):
        self._file = path.open("ab", buffering=0)

    def append(self, row: Mapping[str, float | int | None]) -> None:
        """Write one row: the columns of `Row`, and others; None is written as null."""
        self._file.write(json.dumps(dict(row), allow_nan=False).encode() + b"\n")

    def sync(self) -> None:
        """Return when all rows are on disk: a checkpoint must never be there without the rows before it."""
        os.fsync(self._file.fileno())

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()


def _complete_lines(path: Path, first: int) -> list[bytes]:
    if not path.exists():
        return []
    lines: list[bytes] = []
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            row = json.loads(line)
        except ValueError:
            break
        if not (line.endswith(b"\n") and isinstance(row, dict) and row.get("step") == first + len(lines) + 1):
            break
        lines.append(line)
    return lines
