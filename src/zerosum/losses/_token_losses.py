"""Per-token losses of one model.

Letters: S sequences of L = T + 1 tokens, T predicted positions, V vocabulary.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from zerosum.errors import InputError, MissingExtra


def token_losses(model: Any, tokens: Any, *, tokens_per_batch: int = 8_192) -> Float[np.ndarray, "S T"]:
    """Cross-entropy of every predicted token, in nats, float32.

    model: a transformers causal LM, or any callable from token ids [s, T] to logits [s, T, V] (or to an object with
    `.logits`). Dropout is off while measuring and the model's mode is restored.
    tokens: ids, [S, L] integers; position t of the result is the loss of predicting `tokens[:, t + 1]` from
    `tokens[:, : t + 1]`.
    tokens_per_batch: how many predictions are held in memory as logits at a time. The batches are the same for every
    model, so differences between checkpoints carry no noise from batch composition.
    Raises InputError for tokens that are no such ids, outside the vocabulary or fewer than two to a sequence.
    """
    try:
        import torch
        from torch.nn import functional
    except ImportError as missing:
        raise MissingExtra("torch", "lm") from missing
    if tokens_per_batch <= 0:
        raise InputError(f"tokens_per_batch {tokens_per_batch}: give a positive number.")
    tokens = _token_ids(tokens)
    _require_vocabulary(tokens, getattr(getattr(model, "config", None), "vocab_size", None))
    device = _device_of(model)
    rows = max(1, tokens_per_batch // (tokens.shape[1] - 1))
    losses = np.empty((tokens.shape[0], tokens.shape[1] - 1), dtype=np.float32)
    with torch.inference_mode(), _evaluating(model):
        for start in range(0, len(tokens), rows):
            batch = torch.as_tensor(tokens[start : start + rows], dtype=torch.long, device=device)
            output = model(batch[:, :-1])
            logits = getattr(output, "logits", output)
            _require_vocabulary(tokens, logits.shape[-1])
            loss = functional.cross_entropy(logits.float().flatten(0, 1), batch[:, 1:].flatten(), reduction="none")
            losses[start : start + rows] = loss.view(len(batch), -1).cpu().numpy()
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
    return ids.astype(np.int64)


def _device_of(model: Any) -> Any:
    parameter = next(iter(model.parameters()), None) if hasattr(model, "parameters") else None
    return "cpu" if parameter is None else parameter.device


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """Evaluation mode inside the block, the former mode after it."""
    was_training = bool(getattr(model, "training", False))
    if was_training:
        model.eval()
    try:
        yield
    finally:
        if was_training:
            model.train()


def _require_vocabulary(tokens: Int64[np.ndarray, "S n"], size: int | None) -> None:
    """Refuse ids that the model does not know, before they index out of its embedding."""
    if size is not None and (tokens.min() < 0 or tokens.max() >= size):
        raise InputError(
            f"token ids from {tokens.min()} to {tokens.max()}, but the model's vocabulary is 0 to {size - 1}. "
            "Use the tokenizer that the model was trained with."
        )
