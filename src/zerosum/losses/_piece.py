"""The pieces of a store: one checkpoint and one block of sequences each; no chunk of the store belongs to two pieces.

While the store is measured, a record beside it says for each finished piece what was noticed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from zerosum.sharing import Job, Records


@dataclass(frozen=True)
class Piece:
    """step: of the checkpoint. block: number of the block of sequences."""

    step: int
    block: int

    @property
    def name(self) -> str:
        """Its name among files."""
        return f"{self.step}-{self.block}"

    def chunk(self, variable: str, index: int) -> str:
        """The file of the store that holds a variable of this piece. index: of the checkpoint in the store."""
        return f"{variable}/c/{index}/{self.block}/0"


@dataclass(frozen=True)
class Facts:
    """What was noticed while a piece was measured.

    notes: sentences. noise_floor: mean |difference| in nats of the same tokens in batches composed in another way, or
    in float32, whichever is larger; None where it was not measured. vocab_size: of the model, None where it does not
    say. unused: see `zerosum.checkpoints.unused_weights`. sha256: of the piece's chunk of each variable.
    """

    notes: tuple[str, ...] = ()
    noise_floor: float | None = None
    vocab_size: int | None = None
    unused: str = ""
    sha256: Mapping[str, str] = field(default_factory=dict)


class Pieces:
    """The job of measuring into the store at `store`, and the records of its finished pieces."""

    def __init__(self, store: Path):
        self.job = Job(store.with_name(store.name + ".pieces"))
        self.records = Records(self.job.folder)

    def is_done(self, piece: Piece) -> bool:
        """Whether the piece is in the store."""
        return self.records.is_finished(piece.name)

    def finish(self, piece: Piece, facts: Facts) -> None:
        """Record that a piece is in the store, whole."""
        self.records.add(piece.name, asdict(facts))

    def undo(self, piece: Piece) -> None:
        """Record that a piece has to be measured: its chunks are damaged."""
        self.records.remove(piece.name)

    def facts(self, piece: Piece) -> Facts:
        """What was noticed; nothing where the record is damaged or there is none."""
        saved = self.records.read(piece.name) or {}
        try:
            notes, floor, size = tuple(saved["notes"]), saved["noise_floor"], saved["vocab_size"]
            return Facts(notes, floor, size, saved.get("unused", ""), saved.get("sha256", {}))
        except (KeyError, TypeError):
            return Facts()

    def digests(self, steps: Sequence[int]) -> dict[str, list[str]]:
        """File of the store -> its sha256, for the chunks of finished pieces. steps: of the store's checkpoints."""
        digests: dict[str, list[str]] = {}
        for name in self.records.finished():
            step, _, block = name.rpartition("-")
            if int(step) in steps:
                piece = Piece(int(step), int(block))
                for variable, digest in self.facts(piece).sha256.items():
                    digests[piece.chunk(variable, steps.index(piece.step))] = [digest]
        return digests
