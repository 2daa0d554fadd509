"""One token of each batch by its own backward pass, beside what the fast ways say of it: no model is measured wrongly
because its layers looked like others.

Letters: s sequences of a batch, t positions.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from zerosum.errors import InputError
from zerosum.gradients._oracle import token_gradients
from zerosum.gradients._prepare import Batch

CLOSE = {"float32": 1e-3, "bfloat16": 0.1}  # relative to sum_j |g_ij|, by precision of the passes


def require_same_size(
    model: Any, part: Batch, l1: Float[np.ndarray, "s t"], dtype: str, rng: np.random.Generator
) -> None:
    """Raises InputError where the gradient of a token has another size than was measured. l1: NaN where it was not."""
    known = np.argwhere(np.isfinite(l1))
    s, t = (int(one) for one in known[rng.integers(len(known))])
    gradients = next(token_gradients(model, part.tokens, [(s, t)])).values()
    expected, found = sum(float(one.double().abs().sum()) for one in gradients), float(l1[s, t])
    if abs(found - expected) > CLOSE[dtype] * expected:
        raise InputError(
            f"the layer rules fail on this model: the gradient of a token (sequence {part.rows[s]}, position {t}) has "
            f"size {expected:.4g} by its own backward pass, not {found:.4g}. Choose method general."
        )


def is_same_change(model: Any, tokens: Any, changes: Any, update: Any) -> bool:
    """Whether the last token of the first sequence changes to first order as its own backward pass says.

    changes: [s, t] nats.
    """
    t = tokens.shape[1] - 2
    gradients = next(token_gradients(model, tokens, [(0, t)]))
    expected = size = 0.0
    for name, u in update.items():
        p = gradients[name].double() * torch.as_tensor(u).to(gradients[name]).double()
        expected, size = expected + float(p.sum()), size + float(p.abs().sum())
    return abs(float(changes[0, t]) - expected) <= CLOSE["float32"] * size + 1e-30
