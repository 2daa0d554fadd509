"""Measure one checkpoint into a store. A stopped measurement continues; several processes share the batches."""

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from zerosum.checkpoints import Checkpoint, Problem
from zerosum.errors import MEASURED_AGAIN, InputError
from zerosum.gradients._measurement import Choice, measure
from zerosum.gradients._own_store import own_store
from zerosum.gradients._result import GradientInterference
from zerosum.gradients._saved_sums import saved_sequences
from zerosum.gradients._store import measured, repair, require_same_tokens, write
from zerosum.gradients._verify import verify
from zerosum.gradients.batches import Along
from zerosum.gradients.source import other_place, problems_of_model, units_of
from zerosum.sharing import Job, locked
from zerosum.tokens import TokenSequences

SUMS = 2  # version of the sums that a job holds, so that none of another version are added to them


@dataclass(frozen=True)
class Update:
    """make: gives u by parameter name, None for no update; called where it is needed. record: what u depends on.

    notes: sentences about it for users.
    """

    make: Callable[[], Mapping[str, Any] | None] = lambda: None
    record: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def measure_checkpoint(
    store: Path,
    checkpoint: Checkpoint,
    model: Callable[[], Any],
    tokens: TokenSequences,
    update: Update,
    choice: Choice,
    verified: int,
    along: Along,
    problems: tuple[Problem, ...] = (),
    own: bool = False,
) -> GradientInterference:
    """The record of one checkpoint, with its source, step and tokens_seen, and its tokens verified.

    A checkpoint that was measured under the same key before is read from the store. model: loads the checkpoint's
    model; called only where it is needed.
    verified: tokens to compare with a backward pass each. problems: of the checkpoint beside others of its run. own:
    whether what was measured in another way than the store goes into one beside it.
    Raises InputError as `gradient_interference`, and where the store was made with other tokens.
    """
    how = _how(checkpoint, tokens, update, choice, verified)
    how |= {"problems": [problem.code for problem in problems]} if problems else {}
    default, store = store, own_store(store, checkpoint.step, how) if own else store
    place = (other_place(default, store),) if store != default else ()
    require_same_tokens(store, tokens.sha256)
    job, lock = Job(_folder(store, checkpoint.step, how, choice)), store.with_name(store.name + ".lock")
    with locked(lock):
        repaired = repair(store, checkpoint.step)
        if (record := measured(store, checkpoint.step, how)) is not None:
            _close(job)  # of a process that was killed after it had written the result
            return _repaired(_of_checkpoint(record, checkpoint), repaired, place)
        job.open()
    unit = tokens.document if units_of(tokens) == "document" else None
    try:
        u = update.make()
        measurement = measure(model(), tokens.ids, u, replace(choice, unit=unit), along, job)
    except InputError:
        if not saved_sequences(job) and not job.is_in_work():  # nothing that could be continued
            _close(job)
        raise
    with locked(lock):
        if (record := measured(store, checkpoint.step, how)) is not None:
            return _repaired(_of_checkpoint(record, checkpoint), repaired, place)
        if measurement is None:
            raise InputError(f"{job.folder}: removed while it was needed. Start the same command again.")
        problems = (*problems, *problems_of_model(model(), checkpoint.step))
        notes = (*measurement.notes, *update.notes)
        record = replace(_of_checkpoint(measurement, checkpoint), notes=notes, problems=problems)
        if verified:
            record = replace(record, verified=verify(model(), tokens.ids, u, record, K=verified, seed=choice.seed))
        write(store, record, tokens, how)
        _close(job)
    return _repaired(record, repaired, place)


def _repaired(record: GradientInterference, what: str | None, notes: tuple[str, ...]) -> GradientInterference:
    """The record with a problem and notes of this call, which are not stored."""
    record = replace(record, notes=(*record.notes, *notes))
    if what is None:
        return record
    problem = Problem(MEASURED_AGAIN, () if record.step is None else (record.step,), what)
    return replace(record, problems=(*record.problems, problem))


def _of_checkpoint(record: GradientInterference, checkpoint: Checkpoint) -> GradientInterference:
    """The record with the checkpoint's name of today: results hold by content, wherever the run has been moved."""
    return replace(record, source=checkpoint.name, step=checkpoint.known_step, tokens_seen=checkpoint.tokens_seen)


def is_busy(store: Path, step: int) -> bool:
    """Whether a living process measures this checkpoint into the store."""
    return any(Job(folder).is_in_work() for folder in _jobs(store).glob(f"step-{step}-*"))


def _close(job: Job) -> None:
    job.close()
    with suppress(OSError):  # jobs of other checkpoints are in it
        job.folder.parent.rmdir()


def _jobs(store: Path) -> Path:
    return store.with_name(store.name + ".parts")


def _folder(store: Path, step: int, how: dict[str, Any], choice: Choice) -> Path:
    """The folder of the job. Results of other batches cannot be added to these, so batches are part of its name."""
    text = json.dumps(how | {"tokens_per_batch": choice.tokens_per_batch, "sums": SUMS}, sort_keys=True)
    return _jobs(store) / f"step-{step}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _how(
    checkpoint: Checkpoint, tokens: TokenSequences, update: Update, choice: Choice, verified: int
) -> dict[str, Any]:
    """Cache key: everything the numbers depend on."""
    key = {"method": choice.method, "n_sampled": choice.n_sampled, "seed": choice.seed, "dtype": choice.dtype}
    key |= {"budget": choice.budget} if choice.method == "auto" else {}
    key |= {"verify": verified, "update": update.record, "data_sha256": tokens.sha256, "units": units_of(tokens)}
    key |= {"weights": checkpoint.weight_hash(), "config": checkpoint.config_hash()}
    return key | {"zerosum": version("zerosum")}
