"""Token ids and number of predicted tokens of a batch, as data loaders of other frameworks give it."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from zerosum.tokens import PADDING

IGNORED = -100  # label of a position that no loss is taken of


def ids_of(batch: Any) -> Tensor | None:
    """[s, L] token ids: those under `input_ids`, -1 where `attention_mask` is 0, the batch itself, or its first part.

    None where there are none: a batch of another kind is not measured.
    """
    if isinstance(batch, Mapping):
        ids, mask = _ids(batch.get("input_ids")), _ids(batch.get("attention_mask"))
        if ids is None or mask is None or ids.shape != mask.shape:
            return ids
        return ids.masked_fill(mask == 0, PADDING)
    return _ids(batch[0] if isinstance(batch, list | tuple) and batch else batch)


def predicted_tokens(batch: Any) -> int | None:
    """How many tokens the loss of a batch is over: those of `labels` that count, else the ids; None where unknown."""
    labels = _ids(batch.get("labels")) if isinstance(batch, Mapping) else None
    if labels is not None:
        return int((labels[:, 1:] != IGNORED).sum())
    ids = ids_of(batch)
    return None if ids is None else int((ids[:, 1:] != PADDING).sum())


def _ids(tensor: Any) -> Tensor | None:
    is_ids = isinstance(tensor, Tensor) and tensor.ndim == 2 and not tensor.is_floating_point()
    return tensor if is_ids else None
