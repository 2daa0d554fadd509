"""`metrics.jsonl`: one row for each update, in order. A killed process can leave its last row incomplete."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

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


def count_rows(path: Path) -> int:
    """Number of complete rows 1, 2, 3, ... at the start of the file, up to a gap or an incomplete line."""
    return len(_complete_lines(path))


def cut(path: Path, rows: int) -> None:
    """Shorten the file to its first `rows` rows, all or nothing."""
    lines = _complete_lines(path)[:rows]
    with new_file(path) as part:
        part.write_bytes(b"".join(lines))


class MetricsLog:
    """Appends rows. Each row is handed to the operating system at once; `sync` also waits for the disk."""

    def __init__(self, path: Path):
        self._file = path.open("ab", buffering=0)

    def append(self, row: Row, values: Mapping[str, float | None] | None = None) -> None:
        """Write one row. values: of callbacks, by names that are not columns of `Row`; None is written as null."""
        columns = {**asdict(row), **(values or {})}
        self._file.write(json.dumps(columns, allow_nan=False).encode() + b"\n")

    def sync(self) -> None:
        """Return when all rows are on disk: a checkpoint must never be there without the rows before it."""
        os.fsync(self._file.fileno())

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()


def _complete_lines(path: Path) -> list[bytes]:
    if not path.exists():
        return []
    lines: list[bytes] = []
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            row = json.loads(line)
        except ValueError:
            break
        if not (line.endswith(b"\n") and isinstance(row, dict) and row.get("step") == len(lines) + 1):
            break
        lines.append(line)
    return lines
