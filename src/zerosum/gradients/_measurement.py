"""One measurement: checks, the passes over each batch, and the sum of all of them.

Letters: S sequences of L = T + 1 tokens, s of them in a batch.
"""

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64

from zerosum.errors import InputError
from zerosum.gradients import _passes
from zerosum.gradients._agreement import is_causal
from zerosum.gradients._by_set import sets_of, within_sets
from zerosum.gradients._exact import Layout
from zerosum.gradients._noise_of import noise_of
from zerosum.gradients._plan import Plan, choose, layout_or_why, require_room, require_sense, sample_sizes
from zerosum.gradients._precision import dtype_error, narrow, require_dtype
from zerosum.gradients._read_off import read_off
from zerosum.gradients._result import GradientInterference
from zerosum.gradients._saved_sums import SavedSums, named, total
from zerosum.gradients._sequence_sums import sequence_sums
from zerosum.gradients._share import PER_TOKEN, Share
from zerosum.gradients._spot import require_same_size
from zerosum.gradients._sums import GradientSums
from zerosum.gradients._update import checked_update, moved, update_between
from zerosum.gradients.batches import (
    Along,
    Batch,
    TokensPerBatch,
    batches,
    checked_unit,
    measured_losses,
    measuring,
    require_backward,
    require_parameters,
    vocabulary_of,
)
from zerosum.gradients.layerwise._per_token import TokenNumbers
from zerosum.gradients.layerwise._pieces import Unsupported
from zerosum.gradients.parameters import Parameter, names_its_ends
from zerosum.gradients.sketch import Sketcher
from zerosum.sharing import Job, work_through

NOT_CAUSAL = (
    "a token's loss changes with what comes after it, its own label among that, or with how much does: no causal "
    "model, or one whose positions depend on the length of a text"
)
ALL_IN_D = "the model names neither embedding nor head, so D_grad is over all of its parameters"


@dataclass(frozen=True)
class Choice:
    """How to measure; see `gradient_interference`."""

    method: str = "auto"
    n_sampled: int = 256
    seed: int = 0
    budget: float | int = 10
    tokens_per_batch: TokensPerBatch = "auto"
    unit: Any = None
    dtype: str = "float32"


@dataclass(frozen=True)
class Prepared:
    """ids: [S, L]. losses: [S, T] before the update. update: u by name, or None. notes: on the model."""

    ids: Int64[np.ndarray, "S L"]
    losses: Float32[np.ndarray, "S T"]
    parameters: tuple[Parameter, ...]
    update: dict[str, Any] | None
    parts: list[Batch]
    vocabulary: int
    causal: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Way:
    """How each batch is measured. sizes: tokens that a sample takes of each. sketcher: of gradients of sequences."""

    method: str
    layout: Layout | None
    seed: int
    sizes: list[int]
    tokens_per_batch: TokensPerBatch
    dtype: str
    sketcher: Sketcher


def measure(
    model: Any, tokens: Any, update: Any, choice: Choice, along: Along, job: Job | None = None
) -> GradientInterference | None:
    """See `gradient_interference`. job: through which other processes share the batches; None keeps all in memory.

    None where another process has written the result and closed the job in the meantime.
    """
    parameters = require_parameters(model)
    require_sense(choice.method, choice.n_sampled, choice.seed, choice.budget)
    with measuring(model):
        ready = prepare(model, tokens, update, parameters, choice.tokens_per_batch)
        unit = checked_unit(choice.unit, ready.losses)
        plan, layout = _plan(model, ready, choice, job)
        if plan is None:
            return None
        require_room(ready.parameters, plan.method)
        sizes, sketcher = sample_sizes(ready.parts, choice.n_sampled), Sketcher(ready.parameters)
        way = Way(plan.method, layout, choice.seed, sizes, choice.tokens_per_batch, choice.dtype, sketcher)

        def share(k: int) -> Share:
            return _share(model, ready, way, k)

        def done(number: int, of: int) -> None:
            along(plan.label, number, of)

        if job is None:
            whole: Share | None = _in_memory(share, ready.parts, done)
        else:
            whole = _shared(share, ready.parts, done, job)
        narrowed = choice.dtype != "float32"
        error = dtype_error(model, ready.parts[-1].tokens, choice.dtype, choice.seed) if narrowed else None
    if whole is None or len(whole.rows) < sum(len(part.rows) for part in ready.parts):
        return None
    sets = sets_of(whole, ready.parameters, ready.update)
    record = read_off(whole, sets, ready.losses, ready.update is not None, plan, choice.seed, unit)
    noise = noise_of(whole, ready.parameters, ready.losses, unit, record)
    return replace(record, noise=noise, dtype_error=error, notes=(*record.notes, *ready.notes))


def first_order_changes(model: Any, tokens: Any, update: Any, tokens_per_batch: Any) -> Float[np.ndarray, "S T"]:
    """See `zerosum.first_order_changes`."""
    parameters = require_parameters(model)
    if update is None:
        raise InputError("update: none. Give u by parameter name, or the model after the update.")
    with measuring(model):
        ready = prepare(model, tokens, update, parameters, tokens_per_batch)
        changes = np.full(ready.losses.shape, np.nan)
        for part in ready.parts:
            of_part, _ = _passes.changes_of(model, part, ready.update or {}, ready.vocabulary)
            changes[part.rows, : of_part.shape[1]] = of_part
    return changes


def prepare(
    model: Any, tokens: Any, update: Any, parameters: tuple[Parameter, ...], tokens_per_batch: TokensPerBatch
) -> Prepared:
    """Check everything, measure the losses before the update, and make batches. Raises InputError."""
    notes = notes_on(model, update)
    if isinstance(update, torch.nn.Module):
        update = update_between(model, update)
    losses, ids = measured_losses(model, tokens, tokens_per_batch, "before the update")
    require_backward(model, parameters, ids)
    u = None if update is None else checked_update(model, update)
    vocabulary = vocabulary_of(model, ids)
    parts = batches(ids, parameters, tokens_per_batch, vocabulary)
    causal = is_causal(model, parts[-1].tokens)
    notes += () if causal else (NOT_CAUSAL,)
    return Prepared(ids, losses, parameters, u, parts, vocabulary, causal, notes)


def notes_on(model: Any, update: Any) -> tuple[str, ...]:
    """Notes on the model, and on an update that is given as another model."""
    frozen = {name: tensor for name, tensor in model.named_parameters() if not tensor.requires_grad}
    notes = [f"frozen parameters left out: {len(frozen)}"] if frozen else []
    if isinstance(update, torch.nn.Module):
        theirs = dict(update.named_parameters())
        moved = sum(
            name in theirs and not torch.equal(tensor, theirs[name].to(tensor)) for name, tensor in frozen.items()
        )
        notes += [f"of these, {moved} differ in the model after the update, and are not moved"] if moved else []
    return (*notes, *([] if names_its_ends(model) else [ALL_IN_D]))


def _plan(model: Any, ready: Prepared, choice: Choice, job: Job | None) -> tuple[Plan | None, Layout | None]:
    wanted = (choice.method, choice.n_sampled, choice.budget)
    require_dtype(model, choice.dtype)
    layout, why = None, ""
    if choice.method not in ("general", "oracle"):
        layout, why = layout_or_why(model, ready.parts[-1].tokens, ready.causal)

    def decide() -> dict[str, Any]:
        with narrow(model, choice.dtype):
            plan = choose(model, ready.parts, ready.update, layout, why, wanted)
        return {"method": plan.method, "note": plan.note, "seconds": plan.seconds}

    agreed = decide() if job is None else job.agree(decide)
    return None if agreed is None else Plan(**agreed, dtype=choice.dtype), layout


def _in_memory(share: Callable[[int], Share], parts: list[Batch], done: Callable[[int, int], None]) -> Share:
    n_sequences = sum(len(part.rows) for part in parts)
    finished = 0
    done(finished, n_sequences)

    def shares() -> Iterator[Share]:
        nonlocal finished
        for k, part in enumerate(parts):
            yield share(k)
            finished += len(part.rows)
            done(finished, n_sequences)

    return reduce(Share.add, shares())


def _shared(
    share: Callable[[int], Share], parts: list[Batch], done: Callable[[int, int], None], job: Job
) -> Share | None:
    """The sum over all batches, each measured by one of the processes that share the job."""
    rows_of = named([part.rows for part in parts])
    numbers = {name: number for number, name in enumerate(rows_of)}
    n_sequences = sum(map(len, rows_of.values()))

    def report(finished: AbstractSet[str]) -> None:
        done(sum(len(rows_of[name]) for name in finished), n_sequences)

    work_through(job, list(rows_of), SavedSums(job, rows_of), lambda name: share(numbers[name]), report)
    return total(job)


def _share(model: Any, ready: Prepared, way: Way, k: int) -> Share:
    """The partial result of one batch."""
    part = ready.parts[k]
    try:
        with narrow(model, way.dtype):
            every = ready.parameters if way.method == "sampled" else ()
            sequences, net = sequence_sums(model, part, way.sketcher, every)
            share = {"sampled": _sampled, "positionwise": _positionwise}.get(way.method, _summed)(model, ready, way, k)
    except Unsupported as why:
        raise InputError(f"the layer rules do not know {why}. Choose method general.") from why
    share.sequences, share.net = sequences, net or share.net
    if way.method in ("exact", "sampled"):
        rng = np.random.default_rng([way.seed, k])
        require_same_size(model, part, share.per_token["l1"], way.dtype, rng)
    if ready.update is not None:
        changes, note = _passes.changes_of(model, part, ready.update, ready.vocabulary)
        share.notes += [note] if note else []
        share.per_token["first_order"][:, : changes.shape[1]] = changes
        share.per_token["loss_after"][:] = _losses_after(model, ready, part, way.tokens_per_batch)
    return share


def _summed(model: Any, ready: Prepared, way: Way, k: int) -> Share:
    def share(batch: Batch, sums: GradientSums, numbers: TokenNumbers) -> Share:
        per_token, t = _unknown(ready, batch), batch.tokens.shape[1] - 1
        per_token["l1"][:, :t], per_token["l2_squared"][:, :t] = numbers.l1, numbers.l2_squared
        if ready.update is not None:
            per_token["moved"][:, :t] = sum(numbers.absolute.values(), np.zeros((1, 1)))
        within = within_sets(numbers.signed, ready.parameters)
        return Share(batch.rows, sums.net, sums.mass, per_token, within, sums.n_tokens)

    parts = _passes.sums_of(model, ready.parts[k], ready.update, way.method, way.layout)
    return reduce(Share.add, (share(*part) for part in parts))


def _sampled(model: Any, ready: Prepared, way: Way, k: int) -> Share:
    """But for sum_i g_ij, which comes with the gradients of whole sequences."""
    part = ready.parts[k]
    drawn = way.sizes[k], int(np.random.SeedSequence([way.seed, k]).generate_state(1)[0])
    losses = ready.losses[part.rows, : part.tokens.shape[1] - 1]
    sample = _passes.sample_of(model, part, ready.update, losses, way.layout, drawn)
    per_token, at = _unknown(ready, part), (np.searchsorted(part.rows, sample.row), sample.at)
    per_token["l1"][at], per_token["l2_squared"][at] = sample.l1, sample.l2_squared
    if ready.update is not None:
        per_token["moved"][at] = sum(sample.moved.values(), np.zeros(1))
    return Share(part.rows, {}, {}, per_token, {}, len(sample.weight), sample)


def _positionwise(model: Any, ready: Prepared, way: Way, k: int) -> Share:
    part = ready.parts[k]
    sums = _passes.proxy_of(model, part, ready.parameters, ready.vocabulary)
    return Share(part.rows, sums.net, sums.mass, _unknown(ready, part), {}, 0)


def _unknown(ready: Prepared, part: Batch) -> dict[str, Float[np.ndarray, "s T"]]:
    return {name: np.full((len(part.rows), ready.ids.shape[1] - 1), np.nan) for name in PER_TOKEN}


def _losses_after(model: Any, ready: Prepared, part: Batch, size: TokensPerBatch) -> Float32[np.ndarray, "s T"]:
    """The real losses of one batch after the update."""
    with moved(model, ready.update or {}):
        losses, _ = measured_losses(model, ready.ids[part.rows], size, "after the update")
    return losses
