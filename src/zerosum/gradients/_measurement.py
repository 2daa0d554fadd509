"""One measurement: checks, the passes, and the numbers read off them."""

from collections.abc import Callable
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64

from zerosum.gradients import _passes
from zerosum.gradients._by_set import Sets, exact_sets, sampled_sets
from zerosum.gradients._parameters import Parameter
from zerosum.gradients._plan import choose, require_memory, sample_sizes
from zerosum.gradients._prepare import (
    Batch,
    TokensPerBatch,
    batches,
    checked_update,
    measuring,
    moved,
    require_finite,
    require_parameters,
    update_between,
)
from zerosum.gradients._result import EXACT, GradientInterference
from zerosum.interference import Interference
from zerosum.interference import measure as measure_changes
from zerosum.losses import token_losses

Along = Callable[[str, int, int], None]
NO_UPDATE = "no update was given"
NO_MOVE = "the update moves nothing that any token has a gradient in"


@dataclass(frozen=True)
class Choice:
    """How to measure; see `gradient_interference`."""

    method: str
    n_sampled: int
    seed: int
    budget: float | int
    tokens_per_batch: TokensPerBatch


@dataclass(frozen=True)
class Prepared:
    """ids: [S, L]. losses: [S, T] before the update. update: u by name, or None."""

    ids: Int64[np.ndarray, "S L"]
    losses: Float[np.ndarray, "S T"]
    parameters: tuple[Parameter, ...]
    update: dict[str, Any] | None
    parts: list[Batch]
    vocabulary: int


def measure(model: Any, tokens: Any, update: Any, choice: Choice, along: Along) -> GradientInterference:
    """See `gradient_interference`."""
    parameters = require_parameters(model)
    with measuring(model):
        ready = prepare(model, tokens, update, parameters, choice.tokens_per_batch)
        plan = choose(model, ready.parts, choice.method, choice.n_sampled, choice.budget)
        require_memory(ready.parameters, plan.method)
        sets, n_sampled = _sets(model, ready, plan.method, choice, lambda a, b: along(plan.note or plan.method, a, b))
        changes, note = _changes(model, ready)
        loss_change = _loss_change(model, ready, choice)
    first_order = None if changes is None else measure_changes(changes, seed=choice.seed)
    return _read_off(ready, sets, changes, first_order, loss_change, plan, n_sampled, choice, note)


def first_order_changes(model: Any, tokens: Any, update: Any, tokens_per_batch: Any) -> Float[np.ndarray, "S T"]:
    """See `zerosum.first_order_changes`."""
    parameters = require_parameters(model)
    with measuring(model):
        ready = prepare(model, tokens, update, parameters, tokens_per_batch)
        changes, _ = _changes(model, ready)
    assert changes is not None  # noqa: S101 - an update was given
    return changes


def prepare(
    model: Any, tokens: Any, update: Any, parameters: tuple[Parameter, ...], tokens_per_batch: TokensPerBatch
) -> Prepared:
    if isinstance(update, torch.nn.Module):
        update = update_between(model, update)
    losses = token_losses(model, tokens, tokens_per_batch=tokens_per_batch)  # checks the ids, too
    ids = np.asarray(tokens).astype(np.int64)
    require_finite(losses, ids, "before the update")
    u = None if update is None else checked_update(model, update)
    config = getattr(model, "config", None)
    vocabulary = int(getattr(config, "vocab_size", None) or ids.max() + 1)
    parts = batches(ids, parameters[0].tensor.device, tokens_per_batch, vocabulary)
    return Prepared(ids, losses, parameters, u, parts, vocabulary)


def _sets(
    model: Any, ready: Prepared, method: str, choice: Choice, along: Callable[[int, int], None]
) -> tuple[Sets, int]:
    """Numbers of every set of coordinates, and how many tokens' gradients were formed."""
    if method != "sampled":
        sums = _passes.all_sums(model, ready.parts, ready.parameters, method, along)
        return exact_sets(sums, ready.parameters, ready.update), sums.n_tokens
    net = _passes.net_sums(model, ready.parts, ready.parameters, ready.vocabulary)
    sizes = sample_sizes(ready.parts, choice.n_sampled)
    sample = _passes.sampled(model, ready.parts, sizes, ready.update, choice.seed, along)
    return sampled_sets(sample, net, ready.parameters, ready.update), len(sample.weight)


def _changes(model: Any, ready: Prepared) -> tuple[Float[np.ndarray, "S T"] | None, str]:
    if ready.update is None:
        return None, ""
    return _passes.all_changes(model, ready.parts, ready.update, ready.losses.shape, ready.vocabulary)


def _loss_change(model: Any, ready: Prepared, choice: Choice) -> Interference | None:
    """Interference of what the losses really do when the update is added."""
    if ready.update is None:
        return None
    with moved(model, ready.update):
        after = token_losses(model, ready.ids, tokens_per_batch=choice.tokens_per_batch)
    require_finite(after, ready.ids, "after the update")
    return measure_changes(after.astype(np.float64) - ready.losses, seed=choice.seed)


def _read_off(
    ready: Prepared,
    sets: Sets,
    changes: Float[np.ndarray, "S T"] | None,
    first_order: Interference | None,
    loss_change: Interference | None,
    plan: Any,
    n_sampled: int,
    choice: Choice,
    note: str,
) -> GradientInterference:
    total = sets.total.opposition
    moves = first_order is not None and total.mass > 0
    absolute = first_order.M * first_order.N if first_order else nan
    ends = {name: one for name, one in sets.intervals.items() if one is not None}
    if moves and sets.mass_interval is not None:
        low, high = sets.mass_interval
        ends |= {"C_g": (sets.total.net / high, sets.total.net / low), "C_ug": (absolute / high, absolute / low)}
    for name, found in (("first_order", first_order), ("loss", loss_change)):
        if found is not None and found.interval is not None:
            ends |= {f"D_{name}": found.interval.D, f"M_{name}": found.interval.M}
    return GradientInterference(
        N=sum(part.n_tokens for part in ready.parts),
        n_sequences=sum(len(part.rows) for part in ready.parts),
        n_positions=ready.ids.shape[1] - 1,
        method=plan.method,
        n_sampled=n_sampled,
        seed=choice.seed,
        loss=float(np.nanmean(ready.losses.astype(np.float64))),
        D_grad=sets.D_grad,
        D_grad_matrices=sets.D_grad_matrices,
        C_g=total.C_g,
        C_ug=absolute / total.mass if moves else nan,
        C_uG=total.C_uG,
        first_order=first_order,
        loss_change=loss_change,
        intervals=ends,
        reasons=_reasons(first_order, loss_change, sets, moves),
        parameters=sets.parameters,
        layers=sets.layers,
        notes=tuple(one for one in (plan.note, note) if one),
        changes=changes,
    )


def _reasons(
    first_order: Interference | None, loss_change: Interference | None, sets: Sets, moves: bool
) -> dict[str, str]:
    """Why a number is NaN, or has no interval ("interval NAME")."""
    why = {
        name: "no trainable parameter beside embedding and head is touched" for name in ("D_grad", "D_grad_matrices")
    }
    missing = NO_UPDATE if first_order is None else NO_MOVE
    of_changes = ("D_first_order", "M_first_order", "D_loss", "M_loss")
    if not moves:
        why |= dict.fromkeys((*of_changes, "C_g", "C_ug", "C_uG", "null", "null_unit", "excess"), missing)
    in_sample = sets.mass_interval is not None or any(sets.intervals.values())
    exact = EXACT if not in_sample else "the sample gives none here"
    why |= {f"interval {name}": exact for name in ("D_grad", "D_grad_matrices")}
    why |= {f"interval {name}": exact if moves else missing for name in ("C_g", "C_ug")}
    why["interval C_uG"] = EXACT if moves else missing
    for name, found in (("first_order", first_order), ("loss", loss_change)):
        reason = missing if found is None else found.interval_reason
        why |= {f"interval {letter}_{name}": reason or "not given" for letter in "DM"}
    return why
