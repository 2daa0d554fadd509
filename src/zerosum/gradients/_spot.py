"""One token of each batch by its own backward pass, beside what the fast ways say of it: no model is measured wrongly
because its layers looked like others.

Letters: s sequences of a batch, t positions.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

from zerosum.errors import InputError
from zerosum.gradients._oracle import numbers_of, token_gradients
from zerosum.gradients.batches import Batch

CLOSE = {"float32": 1e-3, "bfloat16": 0.1}  # relative to sum_j |g_ij|, by precision of the passes


def require_same_size(
    model: Any, part: Batch, l1: Float[np.ndarray, "s t"], dtype: str, rng: np.random.Generator
) -> None:
    """Raises InputError where the gradient of a token has another size than was measured. l1: NaN where it was not."""
    known = np.argwhere(np.isfinite(l1))
    s, t = (int(place) for place in known[rng.integers(len(known))])
    gradients = next(token_gradients(model, part.tokens, [(s, t)]))
    expected, measured = numbers_of(gradients, None)["norm_l1"], float(l1[s, t])
    if abs(measured - expected) > CLOSE[dtype] * expected:
        raise InputError(
            f"the layer rules fail on this model: the gradient of a token (sequence {part.rows[s]}, position {t}) has "
            f"size {expected:.4g} by its own backward pass, not {measured:.4g}. Choose method general."
        )


def is_same_change(model: Any, tokens: Any, changes: Any, update: Any) -> bool:
    """Whether the last token of the first sequence changes to first order as its own backward pass says.

    changes: [s, t] nats.
    """
    t = tokens.shape[1] - 2
    own = numbers_of(next(token_gradients(model, tokens, [(0, t)])), update)
    return abs(float(changes[0, t]) - own["first_order"]) <= CLOSE["float32"] * own["moved"] + 1e-30
