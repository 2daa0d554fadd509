"""A job: the folder through which processes share work that is cut into pieces."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zerosum.atomic import write_text
from zerosum.sharing._claims import Claim, is_stale, locked, take


class Job:
    """The claims of a job, and decisions that all of its processes follow. folder: on a disk that all of them see."""

    def __init__(self, folder: Path):
        self.folder = folder

    def open(self) -> None:
        """Create the folder, if no other process has."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def close(self) -> None:
        """Remove the folder: the result of the job stands somewhere else."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def is_open(self) -> bool:
        """Whether the folder exists: no process has closed the job."""
        return self.folder.is_dir()

    def claim(self, piece: str) -> Claim | None:
        """The right to measure a piece; None where another process has it, or has closed the job."""
        try:
            return take(self._claim_file(piece))
        except FileNotFoundError:
            if self.is_open:
                raise
            return None

    def is_claimed(self, piece: str) -> bool:
        """Whether a living process, this one or another, works on a piece."""
        file = self._claim_file(piece)
        return file.exists() and not is_stale(file)

    def is_in_work(self) -> bool:
        """Whether a living process, this one or another, works on any piece."""
        return any(not is_stale(file) for file in self.folder.glob("*.claim"))

    def agree(self, decide: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
        """What the first process decided; the others, and those that continue after a kill, follow it.

        decide: gives JSON; called by one process at a time. None where another process has closed the job.
        """
        file = self.folder / "agreed.json"
        try:
            with locked(self.folder / "agreed.lock"):
                try:
                    agreed: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
                except (OSError, ValueError):
                    agreed = decide()
                    write_text(file, json.dumps(agreed))
                return agreed
        except FileNotFoundError:
            if self.is_open:
                raise
            return None

    def _claim_file(self, piece: str) -> Path:
        return self.folder / f"{piece}.claim"
