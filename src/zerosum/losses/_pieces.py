"""What of a store is done: one marker file for each piece, beside the store, with what was noticed while measuring.

A piece is one checkpoint and one block of sequences; no chunk of the store belongs to two pieces.
"""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from zerosum.atomic import write_text
from zerosum.claims import Claim, is_stale, take


@dataclass(frozen=True)
class Piece:
    """step: of the checkpoint. block: number of the block of sequences."""

    step: int
    block: int

    @property
    def name(self) -> str:
        """Its name among files."""
        return f"{self.step}-{self.block}"


@dataclass(frozen=True)
class Facts:
    """What was noticed while measuring a piece.

    notes: in words. noise_floor: mean |difference| in nats of the same tokens in batches composed in another way, or
    in float32, whichever is larger; None where it was not measured. vocab_size: of the model, None where it does not
    say.
    """

    notes: tuple[str, ...] = ()
    noise_floor: float | None = None
    vocab_size: int | None = None


class Pieces:
    """The folder of markers and claims of the store at `store`."""

    def __init__(self, store: Path):
        self.folder = store.with_name(store.name + ".pieces")

    def is_done(self, piece: Piece) -> bool:
        """Whether the piece is in the store."""
        return self._marker(piece).is_file()

    def claim(self, piece: Piece) -> Claim | None:
        """The right to measure a piece; None where it is done or another process is at it."""
        if self.is_done(piece):
            return None
        claim = take(self.folder / f"{piece.name}.claim")
        if claim is not None and self.is_done(piece):  # done between the two looks
            claim.__exit__()
            return None
        return claim

    def finish(self, piece: Piece, facts: Facts) -> None:
        """Mark a piece as done: it is in the store, whole."""
        write_text(self._marker(piece), json.dumps(asdict(facts)) + "\n")

    def undo(self, piece: Piece) -> None:
        """A piece turned out to be damaged."""
        self._marker(piece).unlink(missing_ok=True)

    def facts(self, piece: Piece) -> Facts:
        """What was noticed; nothing where the marker was damaged."""
        try:
            found = json.loads(self._marker(piece).read_text(encoding="utf-8"))
            return Facts(tuple(found["notes"]), found["noise_floor"], found["vocab_size"])
        except (OSError, ValueError, KeyError, TypeError):
            return Facts()

    def others_at_work(self) -> bool:
        """Whether any process holds a claim."""
        return any(not is_stale(path) for path in self.folder.glob("*.claim"))

    def remove(self) -> None:
        """Forget what is done."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _marker(self, piece: Piece) -> Path:
        return self.folder / f"{piece.name}.done"
