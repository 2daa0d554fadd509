"""Which process works on what: claim files that outlive no process for long.

A claim is a file that only one process can create. While it is held, a thread renews its time of change; a claim whose
process is gone, or that was not renewed for two minutes (another machine, a stopped process), may be taken over. Should
two processes still hold one claim, they write the same numbers to the same file, whole: nothing is harmed but time.
"""

import glob
import json
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

STALE = 120.0  # seconds without renewal
_BEAT = 15.0
_LOOK = 0.05  # seconds between looks at a claim that is waited for


class Claim:
    """A claim that this process holds; use as a context manager."""

    def __init__(self, path: Path):
        self.path = path
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Claim":
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._thread.join()
        self.path.unlink(missing_ok=True)

    def _renew(self) -> None:
        while not self._released.wait(_BEAT):
            with suppress(OSError):  # taken over while this process was stopped
                os.utime(self.path)


def take(path: Path) -> Claim | None:
    """The claim of this name, or None where another process holds it."""
    for _ in range(2):
        try:
            _create(path)
        except FileExistsError:
            if not is_stale(path) or not _removed(path):
                return None
        else:
            for left in path.parent.glob(f"{glob.escape(path.name)}.*"):  # by processes killed inside `_create`
                left.unlink(missing_ok=True)
            return Claim(path)
    return None


def _create(path: Path) -> None:
    """The file of a claim appears with its holder in it: a process killed here leaves no claim of nobody."""
    whole = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    holder = json.dumps({"host": socket.gethostname(), "pid": os.getpid()})
    whole.write_text(holder, encoding="utf-8")
    try:
        os.link(whole, path)
    except FileNotFoundError as swept:  # by the process that got the claim
        raise FileExistsError(path) from swept
    except FileExistsError:
        raise
    except OSError:  # a disk without links: there the holder is written a moment later
        with path.open("x", encoding="utf-8") as file:
            file.write(holder)
    finally:
        whole.unlink(missing_ok=True)


@contextmanager
def waiting_for(path: Path) -> Iterator[None]:
    """Hold the claim inside the block; wait for it before."""
    while (claim := take(path)) is None:
        time.sleep(_LOOK)
    with claim:
        yield


def is_stale(path: Path) -> bool:
    """Whether the process that holds a claim is gone."""
    try:
        renewed = path.stat().st_mtime
        holder = json.loads(path.read_text(encoding="utf-8") or "{}")
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        holder = {}
    if time.time() - renewed > STALE:
        return True
    return bool(holder) and holder.get("host") == socket.gethostname() and not _is_alive(holder.get("pid"))


def _removed(path: Path) -> bool:
    """Take a stale claim away. What another process has claimed in the meantime is put back."""
    away = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    try:
        path.rename(away)
    except FileNotFoundError:
        return True
    stale = is_stale(away)
    if not stale:
        with suppress(FileExistsError):
            os.link(away, path)
    away.unlink(missing_ok=True)
    return stale


def _is_alive(pid: object) -> bool:
    if not isinstance(pid, int) or sys.platform == "win32":  # where asking would end the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
