"""From a model's hidden states to losses, a few positions at a time: whole logits are never held.

What a model does between its last hidden state and its logits (scaling, a soft cap, a bias) differs between families
and changes between versions. So none of it is repeated here: the model's own forward runs, with a backbone that is
replaced to return hidden states computed before. Letters: s sequences, T positions, n of the s T positions, H hidden,
V vocabulary.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

_TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-8}  # nats; else that of half precision
_HALF = 0.1
_CHECKED = 24  # positions of the first sequence

Chunked = Callable[[Int[Tensor, "s T"], Int[Tensor, "s T"], int], Float[Tensor, "s T"]]


def plain_losses(model: Any, ids: Int[Tensor, "s T"], labels: Int[Tensor, "s T"]) -> Float[Tensor, "s T"]:
    """Cross-entropies from the whole logits at once, float32 nats."""
    return cross_entropy(logits_of(model, ids), labels)


def logits_of(model: Any, ids: Int[Tensor, "s T"]) -> Float[Tensor, "s T V"]:
    """The model's logits, returned as they are or inside an output object."""
    output = model(ids, use_cache=False) if hasattr(model, "config") else model(ids)
    logits: Tensor = getattr(output, "logits", output)
    return logits


def cross_entropy(logits: Float[Tensor, "*n V"], labels: Int[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """-log softmax(logits) at the labels, computed in float32."""
    flat = functional.cross_entropy(logits.float().flatten(0, -2), labels.flatten(), reduction="none")
    return flat.view(labels.shape)


def chunked_losses(
    model: Any, ids: Int[Tensor, "s T"], labels: Int[Tensor, "s T"], positions: int
) -> Float[Tensor, "s T"]:
    """The same losses from one run of the backbone, then the head on `positions` positions at a time."""
    backbone = model.base_model
    output = backbone(ids, use_cache=False)
    hidden = output.last_hidden_state.flatten(0, 1).unsqueeze(0)
    flat_ids, flat_labels = ids.flatten().unsqueeze(0), labels.flatten().unsqueeze(0)
    losses = torch.empty(flat_labels.shape, dtype=torch.float32, device=ids.device)
    for start in range(0, flat_ids.shape[1], positions):
        part = slice(start, start + positions)
        with _returning(backbone, type(output)(**{**output, "last_hidden_state": hidden[:, part]})):
            losses[:, part] = cross_entropy(logits_of(model, flat_ids[:, part]), flat_labels[:, part])
    return losses.view(labels.shape)


def why_not_chunked(model: Any, ids: Int[Tensor, "s T"], labels: Int[Tensor, "s T"]) -> str | None:
    """Why the losses of this model cannot be computed in chunks, or None where both ways agree on a first sequence."""
    if getattr(model, "base_model", model) is model or not hasattr(model, "config"):
        return "it has no separate backbone"
    ids, labels = ids[:1, :_CHECKED], labels[:1, :_CHECKED]
    expected = plain_losses(model, ids, labels)
    try:
        losses = chunked_losses(model, ids, labels, positions=max(1, 2 * ids.shape[1] // 3))
    except Exception as error:  # noqa: BLE001 - a head that is built in another way can raise anything
        return f"its head cannot be run alone ({type(error).__name__})"
    worst = float((losses - expected).abs().max())
    if worst <= _TOLERANCE.get(next(model.parameters()).dtype, _HALF) or bool(expected.isnan().any()):
        return None
    return f"its head alone gives other losses (by {worst:.2g} nats)"


@contextmanager
def _returning(module: Any, output: Any) -> Iterator[None]:
    """Inside the block, calling the module gives `output`."""
    before = vars(module).get("forward")
    module.forward = lambda *_, **__: output
    try:
        yield
    finally:
        del module.forward
        if before is not None:
            module.forward = before
