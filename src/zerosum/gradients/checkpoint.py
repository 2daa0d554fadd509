"""One checkpoint measured into a store: stopped at any moment it continues, and other processes share the work."""

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from zerosum.checkpoints import Checkpoint
from zerosum.claims import waiting_for
from zerosum.errors import InputError
from zerosum.gradients._measurement import Choice as Choice
from zerosum.gradients._measurement import measure
from zerosum.gradients._parts import Parts, others_at_work
from zerosum.gradients._result import GradientInterference
from zerosum.gradients._store import measured, require_same_tokens, write
from zerosum.gradients._store import require_store as require_store
from zerosum.gradients._update import update_between as update_between
from zerosum.gradients._verify import verify
from zerosum.gradients.source import units_of
from zerosum.tokens import TokenSequences

Along = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Update:
    """make: gives u by parameter name, None for no update; called where it is needed. record: what it depends on.

    notes: sentences for the result.
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
) -> GradientInterference:
    """The record of one checkpoint, with its source, step and tokens_seen, and its tokens verified.

    What was measured in the same way before is read from the store. model: gives the checkpoint's, where it is needed.
    verified: tokens to compare with a backward pass each. Raises InputError as `gradient_interference`, and where the
    store was made with other tokens.
    """
    require_same_tokens(store, tokens.sha256)
    how = _how(checkpoint, tokens, update, choice, verified)

    parts, lock = Parts(_folder(store, checkpoint.step, how, choice)), store.with_name(store.name + ".lock")
    with waiting_for(lock):
        if (record := measured(store, checkpoint.step, how)) is not None:
            _remove(parts)  # of a process killed after it had written the result
            return _of_checkpoint(record, checkpoint)
        parts.folder.mkdir(parents=True, exist_ok=True)
    unit = tokens.document if units_of(tokens) == "document" else None
    try:
        u = update.make()
        found = measure(model(), tokens.ids, u, replace(choice, unit=unit), along, parts)
    except InputError:
        if not parts.done() and not others_at_work(parts.folder):  # nothing that could be continued
            _remove(parts)
        raise
    with waiting_for(lock):
        if (record := measured(store, checkpoint.step, how)) is not None:
            return _of_checkpoint(record, checkpoint)
        if found is None:
            raise InputError(f"{parts.folder}: removed while it was needed. Start the same command again.")
        record = replace(_of_checkpoint(found, checkpoint), notes=(*found.notes, *update.notes))
        if verified:
            record = replace(record, verified=verify(model(), tokens.ids, u, found, K=verified, seed=choice.seed))
        write(store, record, tokens, how)
        _remove(parts)
    return record


def _of_checkpoint(record: GradientInterference, checkpoint: Checkpoint) -> GradientInterference:
    """The record with the checkpoint's name of today: results hold by content, wherever the run has been moved."""
    return replace(record, source=checkpoint.name, step=checkpoint.step, tokens_seen=checkpoint.tokens_seen)


def is_busy(store: Path, step: int) -> bool:
    """Whether another process measures a checkpoint into this store: there are others to begin with."""
    return any(others_at_work(folder) for folder in _parts(store).glob(f"step-{step}-*"))


def _remove(parts: Parts) -> None:
    parts.remove()
    with suppress(OSError):  # parts of other checkpoints are in it
        parts.folder.parent.rmdir()


def _parts(store: Path) -> Path:
    return store.with_name(store.name + ".parts")


def _folder(store: Path, step: int, how: dict[str, Any], choice: Choice) -> Path:
    """Folder of the partial results of exactly this measurement, with these batches."""
    text = json.dumps(how | {"tokens_per_batch": choice.tokens_per_batch}, sort_keys=True)
    return _parts(store) / f"step-{step}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _how(
    checkpoint: Checkpoint, tokens: TokenSequences, update: Update, choice: Choice, verified: int
) -> dict[str, Any]:
    """Cache key: everything the numbers of a checkpoint depend on."""
    found = {"method": choice.method, "n_sampled": choice.n_sampled, "seed": choice.seed, "dtype": choice.dtype}
    found |= {"budget": choice.budget} if choice.method == "auto" else {}
    found |= {"verify": verified, "update": update.record, "data_sha256": tokens.sha256, "units": units_of(tokens)}
    found |= {"weights": checkpoint.weight_hash(), "config": checkpoint.config_hash()}
    return found | {"zerosum": version("zerosum")}
