"""Compares the layer rules with plain backward passes of a few tokens, as closely as the model's own rounding allows.

Letters: S sequences, k position.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from zerosum.gradients._oracle import numbers_of, oracle_sums, token_gradients
from zerosum.gradients.layerwise._pieces import Unsupported
from zerosum.gradients.parameters import ROUNDING
from zerosum.losses.batch_size import free_memory
from zerosum.losses.forward import logits_of

CLOSE = 1e-4  # relative to the largest gradient: what rounding may do in float32
OWN = 4  # times the error of the model's own float32 gradients, where that is larger
LOOSEST = 1e-2  # no more than this, whatever the model's own error: layers that mix tokens differ by more
L1 = "sum_j |g_ij|"
EPS = torch.finfo(torch.float32).eps  # parts of many models are in float32, whatever the rest is in


def is_causal(model: Any, tokens: Any) -> bool:
    """Whether a token's loss is all in its prefix, whatever the text's length, by trying on the first sequence."""
    n = tokens.shape[1] - 1
    with torch.no_grad():
        whole = logits_of(model, tokens[:1, :n])
        noise = CLOSE * float(whole.abs().max())
        while n := n // 2:
            if not torch.allclose(whole[:, :n], logits_of(model, tokens[:1, :n]), rtol=CLOSE, atol=noise):
                return False
    return True


def require_agreement(
    model: Any,
    tokens: Any,
    which: Sequence[tuple[int, int]],
    sums: tuple[Mapping[str, Any], Mapping[str, Any]],
    l1: Float[np.ndarray, " n"],
) -> None:
    """Raises Unsupported where the sums of these tokens differ from those of their own backward passes.

    which: n pairs (s, k). sums: net and mass by name, by the layer rules. l1: sum_j |g_ij| of each token. Where float32
    is too coarse for a difference below CLOSE, that of the same gradients in float64 is the measure.
    """
    expected = oracle_sums(model, tokens, which=which, per_token=True)
    assert expected.tokens is not None  # noqa: S101 - they were asked for
    own_l1 = expected.tokens.l1[tuple(np.transpose(which))]
    of_tokens = float(np.max(np.abs(l1 - own_l1) / np.maximum(own_l1, 1e-300)))
    largest = {name: float(size.max()) for name, size in expected.mass.items()}
    noise = ROUNDING * EPS * max(largest.values()) + 1e-12  # of gradients that are 0
    net, mass = sums
    gaps = {
        name: max(float((mass[name] - size).abs().max()), float((net[name] - expected.net[name]).abs().max()))
        for name, size in expected.mass.items()
    }
    own: dict[str, float] = {}
    if of_tokens > CLOSE or any(gap > CLOSE * largest[name] + noise for name, gap in gaps.items()):
        own = _float32_errors(model, tokens, (which[0], which[-1]))
    if of_tokens > _close(own, L1):
        raise Unsupported("a model whose layers mix sequences or positions")
    for name, gap in gaps.items():
        if gap > _close(own, name) * largest[name] + noise:
            raise Unsupported(f"a model that uses {name} in a way its layers do not show")


def _close(own: Mapping[str, float], name: str) -> float:
    """Relative difference up to which two ways agree. own: as of `_float32_errors`."""
    return min(LOOSEST, CLOSE + OWN * own.get(name, 0.0))


def _float32_errors(model: Any, tokens: Any, which: Sequence[tuple[int, int]]) -> dict[str, float]:
    """Largest error of these tokens' float32 gradients, by parameter, relative to its largest gradient; L1: of their
    sums of sizes.

    Empty where the model is in float64, knows no float64, or has no room for a copy in it.
    """
    tensors = list(model.parameters())
    needed = 3 * 8 * sum(tensor.numel() for tensor in tensors)  # weights, gradients, and what holds one of them
    if any(tensor.dtype == torch.float64 for tensor in tensors) or needed > free_memory(tensors[0].device):
        return {}
    errors: dict[str, float] = {}
    try:
        wide = deepcopy(model).double()
        for s, k in which:
            few, place = tokens[s : s + 1, : k + 2], [(0, k)]
            narrow, exact = (next(token_gradients(version, few, place)) for version in (model, wide))
            for name, g in exact.items():
                size, gap = float(g.abs().max()), float((narrow[name].double() - g).abs().max())
                errors[name] = max(errors.get(name, 0.0), gap / size if size else 0.0)
            l1 = [numbers_of(gradients, None)["norm_l1"] for gradients in (narrow, exact)]
            errors[L1] = max(errors.get(L1, 0.0), abs(l1[0] / l1[1] - 1))
    except Exception:  # noqa: BLE001 - layers made for float32 alone can raise anything
        return {}
    return errors
