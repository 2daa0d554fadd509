"""Compares a few tokens of the user's own model with one backward pass each, the slow and obvious way."""

from math import nan
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from zerosum.gradients._accuracy import Verified
from zerosum.gradients._oracle import numbers_of, token_gradients
from zerosum.gradients._result import GradientInterference
from zerosum.gradients._update import checked_update, update_between
from zerosum.gradients.batches import measuring
from zerosum.tokens import PADDING, token_ids

SIZES = ("norm_l1", "norm_l2", "moved")


def verify(model: Any, tokens: Any, update: Any, record: GradientInterference, *, K: int, seed: int = 0) -> Verified:
    """Compare K tokens, drawn at random from those whose gradients were formed, if any were.

    model, tokens, update: those that the record was measured with.
    """
    measured = record.per_token
    formed = np.isfinite(measured["norm_l1"])
    places = np.argwhere(formed if formed.any() else np.isfinite(measured["loss"]))
    chosen = np.random.default_rng(seed).permutation(places)[:K]
    with measuring(model):
        if isinstance(update, torch.nn.Module):
            update = update_between(model, update)
        u = None if update is None else checked_update(model, update)
        slow = [_own_pass(model, tokens, s, t, u) for s, t in chosen.tolist()]
    gaps = {name: _largest(measured, name, chosen, slow, relative=True) for name in SIZES}
    return Verified(len(chosen), **gaps, first_order=_largest(measured, "first_order", chosen, slow, relative=False))


def _own_pass(model: Any, tokens: Any, s: int, t: int, u: Any) -> dict[str, float]:
    """The numbers of one token."""
    ids = token_ids(tokens)[s : s + 1]
    sequence = torch.as_tensor(ids[:, ids[0] != PADDING], device=next(model.parameters()).device)
    return numbers_of(next(token_gradients(model, sequence, [(0, t)])), u)


def _largest(
    measured: dict[str, Float[np.ndarray, "S T"]], name: str, chosen: Any, slow: list[dict[str, float]], relative: bool
) -> float:
    if name not in measured:
        return nan
    expected = np.array([numbers[name] for numbers in slow])
    gaps = np.abs(measured[name][tuple(np.transpose(chosen))] - expected)
    scale = np.abs(expected) if relative else np.abs(expected).max()
    return float(np.max(np.divide(gaps, scale, out=gaps.copy(), where=scale > 0)))
