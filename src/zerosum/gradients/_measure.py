"""What users call: the opposition between token gradients of a model, and first-order changes of token losses."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from zerosum.errors import MissingExtra
from zerosum.gradients._result import GradientInterference


def gradient_interference(
    model: Any,
    tokens: Any,
    update: Any = None,
    *,
    method: str = "auto",
    n_sampled: int = 256,
    seed: int = 0,
    budget: float | int = 10,
    tokens_per_batch: int | Literal["auto"] = "auto",
    unit: Any = None,
    dtype: str = "float32",
    along: Callable[[str, int, int], None] | None = None,
) -> GradientInterference:
    """How far the gradients of single tokens' losses oppose each other, by coordinate, parameter and layer.

    model: a causal language model of torch; it is measured in evaluation mode and left as it was. Frozen parameters
    are left out. tokens: ids, [S, L] integers, -1 where a sequence is padded at its end; N token losses are predicted.
    update: u by parameter name, or the model after the update; it gives C_g, C_ug, C_uG and the changes of losses.
    method: exact; sampled (sum_i g exactly, sum_i |g| from `n_sampled` tokens with intervals); general (any module, one
    sequence at a time); oracle (one backward pass for each token); positionwise (a proxy, see `Proxy`); auto: exact
    where that takes no more than `budget` minutes, else sampled, and general for models with layers of their own:
    `notes` says which and why.
    tokens_per_batch: predictions measured at a time, which changes no result beyond rounding; of a sample, which tokens
    it takes. unit: the resampling unit, such as a document, of each sequence or token, for intervals of D and M; by
    default each sequence is one. dtype: "bfloat16" runs the passes that sums over tokens come from in bfloat16; the
    sums themselves, losses and first-order changes stay in float32, and `dtype_error` says what it changes.
    along: called with what is being done, how many sequences are done, and of how many.

    Raises InputError for tokens or an update that do not fit the model, losses that are not finite, too little memory,
    and where no way is within the budget.
    """
    measurement = _measurement()
    record: GradientInterference = measurement.measure(
        model,
        tokens,
        update,
        measurement.Choice(method, n_sampled, seed, budget, tokens_per_batch, unit, dtype),
        along or (lambda words, done, of: None),
    )
    return record


def first_order_changes(
    model: Any, tokens: Any, update: Any, *, tokens_per_batch: int | Literal["auto"] = "auto"
) -> Float[np.ndarray, "S T"]:
    """What each token's loss would change by if it were linear in the parameters: sum_j g_ij u_j, nats.

    NaN where a sequence is padded. Arguments and errors as for `gradient_interference`.
    """
    changes: Float[np.ndarray, "S T"] = _measurement().first_order_changes(model, tokens, update, tokens_per_batch)
    return changes


def _measurement() -> Any:
    try:
        from zerosum.gradients import _measurement
    except ImportError as missing:
        raise MissingExtra("torch", "lm") from missing
    return _measurement
