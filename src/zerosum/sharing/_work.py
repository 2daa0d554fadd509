"""Work through the pieces of a job beside other processes."""

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Generic, TypeVar

from zerosum.sharing._claims import Claim
from zerosum.sharing._job import Job

SAVING = 1 / 20  # share of the time that saving may take
_LOOK = 0.1  # seconds between looks at pieces of other processes

R = TypeVar("R")
T = TypeVar("T")


class Results(ABC, Generic[R]):
    """Where the results of a job's pieces go. R: the result of a piece.

    A subclass either writes each result in `add`, or adds results up in memory and writes their sum in `save`; then it
    overrides `own`, `save` and `start_over` as well.
    """

    @abstractmethod
    def finished(self) -> AbstractSet[str]:
        """Pieces whose results are on disk, whichever process measured them."""

    def is_finished(self, piece: str) -> bool:
        """Whether the result of one piece is on disk."""
        return piece in self.finished()

    @abstractmethod
    def add(self, piece: str, result: R) -> None:
        """Take in the result of a piece. It is on disk at the latest after the next `save`."""

    def own(self) -> AbstractSet[str]:
        """Pieces that this process has measured and holds in memory, saved or not."""
        return frozenset()

    def save(self) -> None:
        """Write what is in memory only."""

    def start_over(self) -> None:
        """Forget what this process holds: another process has measured part of it too, and a sum cannot be split."""


def work_through(
    job: Job,
    pieces: Sequence[str],
    results: Results[R],
    measure: Callable[[str], R],
    report: Callable[[AbstractSet[str]], None] = lambda finished: None,
) -> None:
    """Measure pieces until all of them are finished, by this process or by others, or until the job is closed.

    The pieces of a process that is gone are taken over. report: called with the finished pieces before each new one.
    What `measure` raises ends this process's part; the claims are released.
    """
    ordered = _from_this_rank(pieces)
    unsaved = _Unsaved(results)
    try:
        while job.is_open:
            finished = results.finished() | results.own()
            report(finished)
            left = [piece for piece in ordered if piece not in finished]
            piece = next((piece for piece in left if _claim(job, piece, results, unsaved)), None)
            if piece is not None:
                unsaved.add(piece, measure(piece))
                continue
            unsaved.save()
            if left:
                time.sleep(_LOOK)
            elif results.finished() >= set(pieces):
                return
            else:
                results.start_over()
    finally:
        unsaved.release()


def free_first(items: Sequence[T], is_busy: Callable[[T], bool]) -> Iterator[T]:
    """Every item once, always one that is not busy while there is any; under torchrun each process begins elsewhere."""
    left = _from_this_rank(items)
    while left:
        item = min(left, key=is_busy)
        left.remove(item)
        yield item


class _Unsaved(Generic[R]):
    """Results of this process that may not be on disk yet, and the claims on their pieces."""

    def __init__(self, results: Results[R]):
        self._results = results
        self._claims: list[Claim] = []
        self._saved_at = time.monotonic()
        self._seconds = 0.0  # that the last save took

    def hold(self, claim: Claim) -> None:
        """Keep a claim until the results are on disk."""
        self._claims.append(claim)

    def add(self, piece: str, result: R) -> None:
        """Take in a result; save everything if the last save is long enough ago."""
        self._results.add(piece, result)
        if time.monotonic() - self._saved_at >= self._seconds / SAVING:
            self.save()

    def save(self) -> None:
        """Write everything, and give the claims back."""
        began = time.monotonic()
        self._results.save()
        self.release()
        self._saved_at = time.monotonic()
        self._seconds = self._saved_at - began

    def release(self) -> None:
        """Give the claims back."""
        while self._claims:
            self._claims.pop().release()


def _claim(job: Job, piece: str, results: Results[R], unsaved: _Unsaved[R]) -> bool:
    """Whether this process is now the one to measure a piece."""
    claim = job.claim(piece)
    if claim is None:
        return False
    if results.is_finished(piece):  # finished since the last look
        claim.release()
        return False
    unsaved.hold(claim)
    return True


def _from_this_rank(items: Sequence[T]) -> list[T]:
    """The items in an order that begins at this process's share of them, under torchrun."""
    begin = len(items) * int(os.environ.get("RANK", "0")) // max(1, int(os.environ.get("WORLD_SIZE", "1")))
    return [*items[begin:], *items[:begin]]
