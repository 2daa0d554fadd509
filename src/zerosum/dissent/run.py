"""The checkpoints of a run, shared with other processes; what was measured in the same way before is read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from zerosum.checkpoints import Checkpoint, Problem, Run
from zerosum.dissent._public import measure_dissent
from zerosum.dissent._record import Dissent
from zerosum.dissent._store import StoredRecords, damaged, own_folder, to_document
from zerosum.errors import MEASURED_AGAIN, InputError
from zerosum.gradients.each_checkpoint import SameTokens as SameTokens
from zerosum.gradients.source import other_place, problems_of, problems_of_model, units_of
from zerosum.sharing import Job, free_first, read_result, work_through
from zerosum.tokens import TokenSequences

Progress = Callable[[int, int, int], None]
"""Called with the step, how many sequences are done, and of how many."""


@dataclass(frozen=True)
class RunMeasurement:
    """How every checkpoint of a run is measured.

    folder: where records are stored, or beside which, if it holds others; None: nowhere. tokens, seed,
    tokens_per_batch: see `measure_dissent`.
    """

    run: Run
    folder: Path | None
    tokens: SameTokens
    seed: int = 0
    tokens_per_batch: int | Literal["auto"] = "auto"
    progress: Progress = lambda step, done, of: None

    def in_turn(self) -> Iterator[Checkpoint]:
        """Every checkpoint, first those that no other process measures."""
        if self.folder is None:
            return iter(self.run.checkpoints)
        job = Job(self.folder)
        return free_first(self.run.checkpoints, lambda checkpoint: job.is_claimed(_piece(checkpoint)))

    def measure(self, checkpoint: Checkpoint) -> Dissent:
        """The record of one checkpoint: measured, by this process or another, or read where it was measured before."""
        model, tokens = self.tokens.of(checkpoint)
        if self.folder is None:
            return self._measured(checkpoint, model(), tokens)
        piece, key = _piece(checkpoint), self._key(checkpoint, tokens)
        folder = own_folder(self.folder, piece, key)
        stored, job = StoredRecords(folder, key), Job(folder)
        file, repaired = stored.file(piece), tuple[Problem, ...]()
        if file.is_file() and read_result(file) is None:
            words = f"its stored measurement was damaged ({damaged(file).what}), and was made again"
            repaired = (Problem(MEASURED_AGAIN, (checkpoint.step,), words),)
        if stored.record(piece) is None:
            job.open()
            work_through(job, [piece], stored, lambda _: to_document(self._measured(checkpoint, model(), tokens)))
        record = stored.record(piece)
        if record is None:
            raise InputError(f"{file}: removed while it was needed. Start the same command again.")
        notes = (other_place(self.folder, folder),) if folder != self.folder else ()
        record = replace(record, notes=(*record.notes, *notes), problems=(*record.problems, *repaired))
        return _at(checkpoint, record)

    def _key(self, checkpoint: Checkpoint, tokens: TokenSequences) -> dict[str, Any]:
        """Everything the numbers depend on."""
        key = {"seed": self.seed, "data_sha256": tokens.sha256, "units": units_of(tokens)}
        key |= {"weights": checkpoint.weight_hash(), "config": checkpoint.config_hash()}
        if problems := problems_of(self.run, checkpoint.step):
            key |= {"problems": [problem.code for problem in problems]}
        return key | {"zerosum": version("zerosum")}

    def _measured(self, checkpoint: Checkpoint, model: Any, tokens: TokenSequences) -> Dissent:
        units = units_of(tokens)
        record = measure_dissent(
            model,
            tokens.ids,
            unit=tokens.document if units == "document" else None,
            seed=self.seed,
            tokens_per_batch=self.tokens_per_batch,
            along=lambda words, done, of: self.progress(checkpoint.step, done, of),
        )
        problems = (*problems_of(self.run, checkpoint.step), *problems_of_model(model, checkpoint.step))
        return _at(checkpoint, replace(record, units=units, problems=problems))


def _piece(checkpoint: Checkpoint) -> str:
    return f"step-{checkpoint.step}"


def _at(checkpoint: Checkpoint, record: Dissent) -> Dissent:
    """The record with the place where its checkpoint lies now."""
    return replace(record, source=checkpoint.name, step=checkpoint.known_step, tokens_seen=checkpoint.tokens_seen)
