"""A run directory: its checkpoints in order, and its loss curve."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from zerosum.curves import LossCurve, read_curve
from zerosum.errors import InputError

_NAME = re.compile(r"checkpoint-(\d+)")
WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """One Hugging Face folder: the weights after `step` optimizer updates.

    tokens_seen: training tokens until then; None where the run does not say.
    """

    step: int
    path: Path
    tokens_seen: int | None = None

    def weight_hash(self) -> str:
        """SHA-256 of the weight file, in hexadecimal."""
        with (self.path / WEIGHTS).open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()


@dataclass(frozen=True)
class Run:
    """A training run on disk: `checkpoint-<step>/` folders and `metrics.jsonl`.

    checkpoints: sorted by step. Folders that are still being written (`*.part`) are not among them.
    """

    path: Path
    checkpoints: tuple[Checkpoint, ...]

    @property
    def measured(self) -> Path:
        """The folder of what was measured: losses, fits, figures."""
        return self.path / "zerosum"

    def curve(self) -> LossCurve:
        """The training loss of every logged step: of our own log where there is one, else of what the folder holds."""
        ours = self.path / "metrics.jsonl"
        return read_curve(ours if ours.is_file() else self.path)


def open_run(path: str | Path) -> Run:
    """Find the checkpoints of a run directory.

    Raises InputError where there is no such folder, no checkpoint in it, or one without weights.
    """
    path = Path(path)
    if not path.is_dir():
        raise InputError(f"{path}: not a folder. Give a run directory, one that holds checkpoint-<step> folders.")
    tokens = _tokens_seen(path / "metrics.jsonl")
    found = [
        Checkpoint(step, folder, 0 if step == 0 else tokens.get(step))
        for folder in path.iterdir()
        if (match := _NAME.fullmatch(folder.name)) and folder.is_dir() and (step := int(match[1])) >= 0
    ]
    for checkpoint in found:
        if not (checkpoint.path / WEIGHTS).is_file():
            raise InputError(f"{checkpoint.path}: no {WEIGHTS} in it. Copy it again, or move the folder elsewhere.")
    if not found:
        raise InputError(f"{path}: no checkpoint-<step> folder in it. Give the folder that holds them.")
    return Run(path, tuple(sorted(found, key=lambda checkpoint: checkpoint.step)))


def _tokens_seen(metrics: Path) -> dict[int, int]:
    """Tokens seen after each logged step; empty without a log. A torn last line is what a killed run leaves."""
    if not metrics.is_file():
        return {}
    tokens = {}
    for line in metrics.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
            tokens[int(row["step"])] = int(row["tokens_seen"])
        except (ValueError, KeyError, TypeError):
            continue
    return tokens
