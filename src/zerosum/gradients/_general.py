"""The general path: batched backward passes of one sequence at a time, for any module. Slower, and it needs room for
`chunk` gradients of the whole model.

Letters: S sequences of L = T + 1 tokens.
"""

from typing import Any

import torch
from torch.nn import functional

from zerosum.gradients._parameters import trainable
from zerosum.gradients._sums import GradientSums

ROOM = 1 << 28  # numbers: 1 GiB of float32 gradients at once


def general_sums(model: Any, tokens: Any, *, chunk: int | None = None) -> GradientSums:
    """`GradientSums` over every token, as `exact_sums`. chunk: tokens to a batch; None: as many as fit in 1 GiB."""
    parameters = trainable(model)
    tensors = [one.tensor for one in parameters]
    sums = GradientSums.zeros(parameters)
    sums.n_tokens = tokens.shape[0] * (tokens.shape[1] - 1)
    chunk = chunk or max(1, ROOM // max(1, sum(one.numel() for one in tensors)))
    for sequence in tokens:
        output = model(sequence[None, :-1])
        logits = getattr(output, "logits", output)[0]
        losses = functional.cross_entropy(logits, sequence[1:], reduction="none")
        for cotangents in torch.split(torch.eye(len(losses)).to(losses), chunk):
            for one, gradients in zip(parameters, batched(losses, tensors, cotangents), strict=True):
                if gradients is not None:
                    sums.net[one.name] += gradients.double().sum(0)
                    sums.mass[one.name] += gradients.double().abs().sum(0)
    return sums


def batched(losses: Any, tensors: list[Any], cotangents: Any) -> list[Any]:
    """Gradients of every row's combination of losses, [rows, *shape] each; one by one where they cannot be batched."""

    def backward(cotangent: Any, batched: bool) -> tuple[Any, ...]:
        return torch.autograd.grad(
            losses, tensors, cotangent, retain_graph=True, allow_unused=True, is_grads_batched=batched
        )

    try:
        return list(backward(cotangents, True))
    except RuntimeError:
        rows = [backward(one, False) for one in cotangents]
        return [None if part[0] is None else torch.stack(part) for part in zip(*rows, strict=True)]
