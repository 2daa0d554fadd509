"""Claim files: a file that exactly one process can create says that this process works on something.

A thread renews the file's time of change while the claim is held. See the package for what this promises.
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
from typing import Any

STALE = 120.0  # seconds without renewal after which a claim is abandoned
_RENEW = 15.0  # seconds between renewals
_LOOK = 0.05  # seconds between looks at a lock that is waited for


class Busy(RuntimeError):
    """Another process holds the lock. The message names the process: "process 42 on node7"."""


class Claim:
    """A claim that this process holds. Use it as a context manager, or call `release`."""

    def __init__(self, path: Path, holder: str):
        self._path = path
        self._holder = holder
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Claim":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Remove the claim file, unless another process has taken the claim over."""
        self._released.set()
        self._thread.join()
        if _is_written_by(self._path, self._holder):
            self._path.unlink(missing_ok=True)

    def _renew(self) -> None:
        while not self._released.wait(_RENEW):
            with suppress(OSError):  # taken over while this process was stopped
                os.utime(self._path)


def take(path: Path, *, lock: bool = False) -> Claim | None:
    """Claim the file at `path`; None where another process holds it.

    lock: on this machine the claim is never taken over while its process lives, not even when that is stopped.
    Raises FileNotFoundError where the folder does not exist.
    """
    for _ in range(2):
        holder = _describe_this_process(lock)
        try:
            _create(path, holder)
        except FileExistsError:
            if not is_stale(path) or not _remove_stale(path):
                return None
        else:
            for leftover in path.parent.glob(f"{glob.escape(path.name)}.*"):  # of processes killed inside `_create`
                leftover.unlink(missing_ok=True)
            return Claim(path, holder)
    return None


@contextmanager
def locked(path: Path, patience: float | None = None) -> Iterator[None]:
    """Hold the lock file at `path` inside the block, after waiting until it is free.

    patience: raise Busy when another process still holds the lock after so many seconds; None waits for ever. The lock
    of a process on another machine is waited for until it is renewed, or abandoned, before Busy is raised.
    """
    started = time.monotonic()
    first_seen = _renewed_at(path)
    while (claim := take(path, lock=True)) is None:
        if patience is not None and time.monotonic() - started > patience:
            holder = _read(path)
            is_alive = _is_of_this_machine(holder) or _renewed_at(path) != first_seen
            if holder and is_alive:
                raise Busy(f"process {holder.get('pid')} on {holder.get('host')}")
        time.sleep(_LOOK)
    with claim:
        yield


def is_stale(path: Path) -> bool:
    """Whether the process that holds the claim is gone, or must be taken for gone."""
    renewed = _renewed_at(path)
    if renewed is None:
        return False
    holder = _read(path)
    if _is_of_this_machine(holder):
        if not _is_alive(holder):
            return True
        if holder.get("lock"):
            return False
    return time.time() - renewed > STALE


def _create(path: Path, holder: str) -> None:
    """Make the claim file appear with its content: a process killed in between leaves no claim without a holder."""
    complete = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    complete.write_text(holder, encoding="utf-8")
    try:
        os.link(complete, path)
    except FileNotFoundError as error:  # removed by the process that got the claim
        raise FileExistsError(path) from error
    except FileExistsError:
        if not _is_written_by(path, holder):  # else NFS has repeated our own request
            raise
    except OSError:  # a disk without links: there the content follows a moment later
        with path.open("x", encoding="utf-8") as file:
            file.write(holder)
    finally:
        complete.unlink(missing_ok=True)


def _remove_stale(path: Path) -> bool:
    """Remove a stale claim. A claim that another process has made in the meantime is put back: then False."""
    aside = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return True
    stale = is_stale(aside)
    if not stale:
        with suppress(FileExistsError):
            os.link(aside, path)
    aside.unlink(missing_ok=True)
    return stale


def _describe_this_process(lock: bool) -> str:
    pid = os.getpid()
    facts = {"host": socket.gethostname(), "pid": pid, "started": _start_time(pid), "id": uuid.uuid4().hex}
    return json.dumps(facts | {"lock": lock})


def _read(path: Path) -> dict[str, Any]:
    """Who holds a claim; nothing where that is not written yet or not readable."""
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return holder if isinstance(holder, dict) else {}


def _is_written_by(path: Path, holder: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == holder
    except (OSError, ValueError):
        return False


def _renewed_at(path: Path) -> float | None:
    """Seconds since the epoch; None where there is no such file."""
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def _is_of_this_machine(holder: dict[str, Any]) -> bool:
    return holder.get("host") == socket.gethostname()


def _is_alive(holder: dict[str, Any]) -> bool:
    """Whether a process of this machine still runs, and is not a later one with the same number."""
    pid = holder.get("pid")
    if not isinstance(pid, int) or sys.platform == "win32":  # where asking would end the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    started, now = holder.get("started"), _start_time(pid)
    return started is None or now is None or started == now


def _start_time(pid: int) -> str | None:
    """When a process began, in the kernel's own count; None where the system does not say (other than Linux)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (OSError, ValueError, IndexError):
        return None
