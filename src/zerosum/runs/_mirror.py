"""A local copy of a run's log that grows with it: each look reads only what was appended since the last one.

Readers then work on the copy, so that a run on a slow network disk is read once and not at every look.
"""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from zerosum.curves import log_files
from zerosum.errors import InputError

LOOKED_BACK = 4_096  # bytes before the end of the copy that must still be there for a file to count as appended to
State = tuple[int, int, int, int]


@dataclass
class Mirror:
    """source: a log, or the folder of a run. into: an empty folder for the copy."""

    source: Path
    into: Path
    _states: dict[Path, State] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """Where the copy of the source is."""
        return self.into / (self.source.resolve().name or "run")

    def update(self) -> bool:
        """Copy what is new; whether there was anything. Raises InputError where the source cannot be read yet."""
        if not self.source.exists():
            raise InputError(f"{self.source}: not there yet. Check the path if the run has begun.")
        is_folder = self.source.is_dir()
        files = log_files(self.source) if is_folder else (self.source,)
        copies = {file: self.path / file.relative_to(self.source) if is_folder else self.path for file in files}
        gone = self._states.keys() - copies.keys()
        for file in gone:
            del self._states[file]
            (self.path / file.relative_to(self.source)).unlink(missing_ok=True)
        try:
            return any([*(self._follow(file, copy) for file, copy in copies.items()), bool(gone)])
        except OSError as error:
            raise InputError(f"{self.source}: cannot be read now ({error.strerror or error}).") from None

    def _follow(self, file: Path, copy: Path) -> bool:
        status = file.stat()
        state = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        before = self._states.get(file)
        if state == before:
            return False
        copy.parent.mkdir(parents=True, exist_ok=True)
        size = copy.stat().st_size if before else 0  # more than before[2] where the file grew while it was copied
        grew = before is not None and state[:2] == before[:2] and before[2] < state[2] >= size
        if not (grew and _append(file, copy)):
            shutil.copyfile(file, copy)
        self._states[file] = state
        return True


def _append(file: Path, copy: Path) -> bool:
    """Append to the copy what comes after it in the file; False where the file does not begin like the copy."""
    with file.open("rb") as new, copy.open("r+b") as old:
        first = max(0, old.seek(0, 2) - LOOKED_BACK)
        new.seek(first)
        old.seek(first)
        known = old.read()
        if new.read(len(known)) != known:
            return False
        shutil.copyfileobj(new, old)
    return True
