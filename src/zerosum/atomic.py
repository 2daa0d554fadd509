"""Files and folders that appear under their final name only when they are complete."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAUSE = 0.05  # seconds between two checks that a removed folder has not come back
CHECKS_NEEDED = 4  # successive checks without the folder after which it counts as removed
MOST_CHECKS = 100


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield `path` + ".part" to write to; on success it is flushed to disk and takes the name `path`.

    An older file of that name is replaced. On an error the half-written part is removed and `path` stays as it was.
    """
    part = part_of(path)
    try:
        yield part
        _flush(part)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder `path` + ".part" to fill; on success its files are flushed and it takes the name `path`.

    A ".part" that a killed process left behind is removed first; an older file or folder at `path` is replaced.
    """
    part = part_of(path)
    _remove(part)
    part.mkdir(parents=True)
    try:
        yield part
        for file in part.rglob("*"):
            if file.is_file():
                _flush(file)
        _remove(path)
        part.rename(path)
    except BaseException:
        _remove_repeatedly(part)
        raise


def part_of(path: Path) -> Path:
    """The name under which a file or folder is written until it is complete."""
    return path.with_name(path.name + ".part")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text to `path`, all or nothing."""
    with new_file(path) as part:
        part.write_text(text, encoding="utf-8")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _remove_repeatedly(folder: Path) -> None:
    """Remove a folder until it stays removed: threads of a failed write may still create files in it."""
    absent = 0
    for _ in range(MOST_CHECKS):
        absent = 0 if folder.exists() else absent + 1
        if absent == CHECKS_NEEDED:
            return
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(PAUSE)


def _flush(file: Path) -> None:
    with file.open("rb") as handle:
        os.fsync(handle.fileno())
