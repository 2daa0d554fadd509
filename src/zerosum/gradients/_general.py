"""The general path: batched backward passes of one sequence at a time, for any module. Slower, and it needs room for
`chunk` gradients of the whole model.

Letters: S sequences of L = T + 1 tokens.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch.nn import functional

from zerosum.gradients._sums import GradientSums
from zerosum.gradients.layerwise._per_token import Tally
from zerosum.gradients.parameters import trainable
from zerosum.losses.forward import logits_of

ROOM = 1 << 28  # numbers: 1 GiB of float32 gradients at once
LOGITS_HELD = 4  # times the logits of a sequence that a backward pass from one of its losses holds


def general_sums(
    model: Any,
    tokens: Any,
    update: Mapping[str, Any] | None = None,
    *,
    per_token: bool = False,
    chunk: int | None = None,
) -> GradientSums:
    """`GradientSums` over every token, as `exact_sums`. chunk: tokens to a batch; None: as many as fit in 1 GiB."""
    parameters, shape = trainable(model), (tokens.shape[0], tokens.shape[1] - 1)
    sums, tally = GradientSums.zeros(parameters), Tally(parameters, shape, update) if per_token else None
    sums.n_tokens = shape[0] * shape[1]
    for s, start, batch in _chunks(model, tokens, [parameter.tensor for parameter in parameters], chunk):
        for parameter, gradients in zip(parameters, batch, strict=True):
            if gradients is None:
                continue
            sums.net[parameter.name] += gradients.double().sum(0)
            sums.mass[parameter.name] += gradients.double().abs().sum(0)
            if tally:
                tally.of_tokens(slice(start, start + len(gradients)), slice(s, s + 1))
                tally.whole(parameter.name, gradients[None])
    sums.tokens = tally.numbers() if tally else None
    return sums


def general_changes(model: Any, tokens: Any, update: Mapping[str, Any]) -> Any:
    """sum_j g_ij u_j, nats, [S, T], as `first_order`, for modules that know no forward mode."""
    parameters = [parameter for parameter in trainable(model) if parameter.name in update]
    changes = torch.zeros(tokens.shape[0], tokens.shape[1] - 1, dtype=torch.float64, device=tokens.device)
    for s, start, batch in _chunks(model, tokens, [parameter.tensor for parameter in parameters]):
        for parameter, gradients in zip(parameters, batch, strict=True):
            if gradients is not None:
                p = gradients * update[parameter.name]
                changes[s, start : start + len(gradients)] += p.double().flatten(1).sum(1)
    return changes


def _chunks(
    model: Any, tokens: Any, tensors: list[Any], chunk: int | None = None
) -> Iterator[tuple[int, int, list[Any]]]:
    """Sequence, first position, and the gradients of some of its tokens, [tokens, *shape] for each tensor or None."""
    of_parameters = sum(tensor.numel() for tensor in tensors)
    for s, sequence in enumerate(tokens):
        logits = logits_of(model, sequence[None, :-1])[0]
        losses = functional.cross_entropy(logits, sequence[1:], reduction="none")
        start, room = 0, of_parameters + LOGITS_HELD * logits.numel()
        for cotangents in torch.split(torch.eye(len(losses)).to(losses), chunk or max(1, ROOM // room)):
            yield s, start, batched(losses, tensors, cotangents)
            start += len(cotangents)


def batched(losses: Any, tensors: list[Any], cotangents: Any) -> list[Any]:
    """Gradients of every row's combination of losses, [rows, *shape] each; one by one where they cannot be batched."""

    def backward(cotangent: Any, batched: bool) -> tuple[Any, ...]:
        return torch.autograd.grad(
            losses, tensors, cotangent, retain_graph=True, allow_unused=True, is_grads_batched=batched
        )

    try:
        return list(backward(cotangents, True))
    except RuntimeError:
        rows = [backward(cotangent, False) for cotangent in cotangents]
        return [None if part[0] is None else torch.stack(part) for part in zip(*rows, strict=True)]
