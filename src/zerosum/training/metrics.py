"""`metrics.jsonl`: one row per update, in order, that a killed process can leave in any state."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from zerosum.atomic import new_file


@dataclass(frozen=True)
class Row:
    """Update `step` (1 is the first): loss is of its own batch before the update; tokens_seen are counted after it.

    lr: the rate it used. grad_norm: before clipping.
    """

    step: int
    tokens_seen: int
    loss: float
    lr: float
    grad_norm: float


def count_rows(path: Path) -> int:
    """How many whole rows 1, 2, 3, ... the file begins with, up to a gap or a half-written line."""
    return len(_whole_lines(path))


def cut(path: Path, rows: int) -> None:
    """Keep the first `rows` rows, all or nothing."""
    lines = _whole_lines(path)[:rows]
    with new_file(path) as part:
        part.write_bytes(b"".join(lines))


class MetricsLog:
    """Appends rows. Each is handed to the system at once; `sync` also waits for the disk."""

    def __init__(self, path: Path):
        self._file = path.open("ab", buffering=0)

    def append(self, row: Row) -> None:
        """Write one row."""
        self._file.write(json.dumps(asdict(row), allow_nan=False).encode() + b"\n")

    def sync(self) -> None:
        """Rows are on disk when this returns: a checkpoint must never outlive the rows before it."""
        os.fsync(self._file.fileno())

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()


def _whole_lines(path: Path) -> list[bytes]:
    if not path.exists():
        return []
    whole: list[bytes] = []
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            row = json.loads(line)
        except ValueError:
            break
        if not (line.endswith(b"\n") and isinstance(row, dict) and row.get("step") == len(whole) + 1):
            break
        whole.append(line)
    return whole
