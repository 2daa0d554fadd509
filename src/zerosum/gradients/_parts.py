"""Shares on disk: what a measurement has done so far, whoever did it. A killed process loses its last batch alone.

Each process keeps the sum of what it measured in one file, whole at any moment, and claims the batch that it is at.
When the batches of all files are all there are, the files together are the measurement.
"""

import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from zerosum.atomic import new_file, write_text
from zerosum.claims import Claim, is_stale, take, waiting_for
from zerosum.gradients._sampled import SampledMass
from zerosum.gradients._share import Share, flattened, unflattened

RARELY = 20  # a save takes at most one part in so many of the time
_LOOK = 0.1  # seconds between looks at batches of other processes

Along = Callable[[int, int], None]


class Parts:
    """The folder of shares of one measurement."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._own = folder / f"{uuid.uuid4().hex}.safetensors"

    def agreed(self, decide: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
        """What the first process decided; the others, and those that come after a kill, follow it.

        None where another process has ended the measurement.
        """
        try:
            return self._agreed(decide)
        except FileNotFoundError:
            if self.is_there:
                raise
            return None

    def _agreed(self, decide: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        file = self.folder / "agreed.json"
        with waiting_for(self.folder / "agreed.lock"):
            try:
                found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                found = decide()
                write_text(file, json.dumps(found))
        return found

    def claim(self, batch: int) -> Claim | None:
        """The right to measure a batch; None where another process is at it."""
        return take(self.folder / f"batch-{batch}.claim")

    @property
    def is_there(self) -> bool:
        """Whether the measurement is still going on."""
        return self.folder.is_dir()

    def done(self) -> set[int]:
        """Sequences that are in a file."""
        return {row for _, rows in self._files() for row in rows}

    def save(self, share: Share) -> None:
        """Keep all that this process has measured."""
        arrays: dict[str, Any] = {}
        held = vars(share) | {"sample": None if share.sample is None else vars(share.sample)}
        tree = flattened(held, arrays)
        tensors = {name: torch.as_tensor(one).detach().cpu().contiguous().clone() for name, one in arrays.items()}
        told = {"tree": json.dumps(tree), "rows": json.dumps(share.rows.tolist())}
        with new_file(self._own) as part:
            save_file(tensors, part, metadata=told)

    def start_over(self) -> None:
        """Throw away what this process has saved."""
        self._own.unlink(missing_ok=True)
        self._own = self.folder / f"{uuid.uuid4().hex}.safetensors"

    def whole(self) -> Share | None:
        """The sum of all files; None where there is none, or they have just been removed."""
        total: Share | None = None
        try:
            for file, _ in self._files():
                one = _read(file)
                total = one if total is None else total.add(one)
        except (OSError, SafetensorError):
            return None
        return total

    def remove(self) -> None:
        """Forget everything: the result is written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _files(self) -> Iterator[tuple[Path, list[int]]]:
        """Files that hold different sequences, and which. One that repeats what another holds counts for nothing."""
        seen: set[int] = set()
        for file in sorted(self.folder.glob("*.safetensors")):
            try:
                with safe_open(file, "pt") as opened:
                    rows = json.loads(opened.metadata()["rows"])
            except (OSError, SafetensorError, ValueError, KeyError, TypeError):
                continue  # damaged, or removed at this moment: its sequences are measured again
            if seen.isdisjoint(rows):
                seen.update(rows)
                yield file, rows


def others_at_work(folder: Path) -> bool:
    """Whether a living process measures a batch of these parts."""
    return any(not is_stale(one) for one in folder.glob("batch-*.claim"))


def collect(
    batches: Sequence[Int64[np.ndarray, " _"]], measure: Callable[[int], Share], parts: Parts, along: Along
) -> None:
    """Measure batches until all are in `parts`, beside other processes that do the same.

    batches: the sequences of each. measure: batch number -> its share. along: called with sequences done and in all.
    """
    own, total = _Own(parts), sum(map(len, batches))
    try:
        while parts.is_there:
            done = parts.done() | own.rows
            along(len(done), total)
            left = [k for k, rows in enumerate(batches) if not done.issuperset(rows.tolist())]
            k = next((k for k in left if own.claims(k, batches[k])), None)
            if k is not None:
                own.add(measure(k))
                continue
            own.keep()
            if left:
                time.sleep(_LOOK)
            elif len(parts.done()) == total:
                return
            else:  # a batch of ours was taken over and done twice
                own.start_over()
    finally:
        own.release()


@dataclass
class _Own:
    """What this process has measured, and its claims on what of that is not in its file yet."""

    parts: Parts
    share: Share | None = None
    held: list[Claim] = field(default_factory=list)
    saved: float = field(default_factory=time.monotonic)
    took: float = 0.0

    @property
    def rows(self) -> set[int]:
        """Sequences."""
        return set() if self.share is None else set(self.share.rows.tolist())

    def claims(self, batch: int, rows: Int64[np.ndarray, " s"]) -> bool:
        """Whether this process is the one to measure it."""
        claim = self.parts.claim(batch)
        if claim is None:
            return False
        self.held.append(claim)
        if self.parts.done().issuperset(rows.tolist()):  # done since the last look
            self.held.pop().__exit__()
            return False
        return True

    def add(self, share: Share) -> None:
        """Take in one batch; keep all where the last time was long enough ago."""
        self.share = share if self.share is None else self.share.add(share)
        if time.monotonic() - self.saved >= RARELY * self.took:
            self.keep()

    def keep(self) -> None:
        """Write all to this process's file, unless another process has ended the measurement."""
        began = time.monotonic()
        if self.share is not None and self.held:
            try:
                self.parts.save(self.share)
            except (OSError, SafetensorError):
                if self.parts.is_there:
                    raise
        self.release()
        self.saved = time.monotonic()
        self.took = self.saved - began

    def start_over(self) -> None:
        """Throw all away."""
        self.parts.start_over()
        self.share = None

    def release(self) -> None:
        """Give up the claims."""
        while self.held:
            self.held.pop().__exit__()


def _read(file: Path) -> Share:
    with safe_open(file, "pt") as opened:
        tree = json.loads(opened.metadata()["tree"])
        arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - no mapping
    held = unflattened(tree, arrays)
    sample = held.pop("sample")
    return Share(**held, sample=None if sample is None else SampledMass(**sample))
