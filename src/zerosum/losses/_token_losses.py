"""Per-token losses of one model. Letters: S sequences of L = T + 1 tokens, T predicted positions, V vocabulary."""

import warnings
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32

from zerosum.errors import InputError, InputWarning, MissingExtra
from zerosum.tokens import token_ids


def token_losses(
    model: Any, tokens: Any, *, tokens_per_batch: int | Literal["auto"] = "auto"
) -> Float32[np.ndarray, "S T"]:
    """Cross-entropy of every predicted token, in nats, float32; NaN where a sequence is padded.

    model: a transformers causal LM, or any callable from token ids [s, T] to logits [s, T, V] (or to an object with
    `.logits`). Dropout is off while measuring and the model's mode is restored. Of a transformers model, logits are
    computed and turned into losses a few positions at a time, after a check that this model allows it.
    tokens: ids, [S, L] integers, -1 where a sequence is padded, which is only at its end; position t of the result is
    the loss of predicting `tokens[:, t + 1]` from `tokens[:, : t + 1]`.
    tokens_per_batch: predictions per batch; "auto": as many as half of the free memory holds, up to 8,192 (65,536 on a
    GPU), halved where memory runs out. The batches are the same for every model of one shape, so differences between
    checkpoints carry no noise from batch composition.
    Raises InputError for tokens that are no such ids, outside the vocabulary, fewer than two to a sequence or more than
    the model's context.
    """
    try:
        from zerosum.losses._model_losses import ModelLosses
    except ImportError as missing:
        raise MissingExtra("torch", "lm") from missing
    if tokens_per_batch != "auto" and tokens_per_batch <= 0:
        raise InputError(f"tokens_per_batch {tokens_per_batch}: give a positive number.")
    losses_of = ModelLosses(model, tokens_per_batch)
    losses = losses_of(token_ids(tokens))
    for note in losses_of.notes:
        warnings.warn(note, InputWarning, stacklevel=2)
    return losses
