"""Per-token losses of one model. Letters: S sequences of L = T + 1 tokens, T predicted positions, V vocabulary."""

import warnings
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, Int64

from zerosum.errors import InputError, MissingExtra
from zerosum.tokens import PADDING


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
    losses = losses_of(_token_ids(tokens))
    for note in losses_of.notes:
        warnings.warn(note, stacklevel=2)
    return losses


def _token_ids(tokens: Any) -> Int64[np.ndarray, "S L"]:
    """The ids as an array. Raises InputError where they are no rows of at least two integers."""
    try:
        ids = np.asarray(tokens)
    except (ValueError, TypeError, RuntimeError) as error:
        raise InputError("tokens: no array. Give rows of token ids, all of the same length.") from error
    if ids.ndim != 2 or ids.dtype.kind not in "iu" or not len(ids):
        raise InputError(
            f"tokens: shape {ids.shape} of {ids.dtype}. Give token ids as an array [sequences, length] of integers."
        )
    if ids.shape[1] < 2:
        raise InputError(f"sequences of {ids.shape[1]} token: nothing to predict. Give at least two to a sequence.")
    ids = ids.astype(np.int64)
    padding = ids == PADDING
    if (padding[:, :-1] & ~padding[:, 1:]).any():
        raise InputError(f"tokens: {PADDING} before an id. Pad sequences at their ends only.")
    return ids
