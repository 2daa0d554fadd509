"""Gradients of groups of tokens, the updates they give, and the share of each group in one update.

A gradient or an update is a list with a tensor for each parameter of the model, None where it has no gradient.
Letters: s sequences of L = T + 1 tokens, K groups.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional

from zerosum.losses.forward import logits_of
from zerosum.tokens import PADDING
from zerosum.training.replay.real_steps import restore_parameters
from zerosum.training.replay.updater import Updater

Gradient = list[Tensor | None]
Update = list[Tensor]
ORDERS = 4  # in which groups are added; each is taken forwards and backwards, which is exact for two groups


def mean_gradients(
    model: Any, ids: Int[np.ndarray, "s L"], code: Int[np.ndarray, "s T"], n_groups: int, rows: int
) -> list[Gradient | None]:
    """Of each group the gradient of its mean loss; None where it has no token. Parameters keep no gradient.

    code: group of each predicted token, -1 for none. rows: sequences in each forward and backward pass.
    """
    parameters = list(model.parameters())
    sums: list[Gradient | None] = [None] * n_groups
    sizes = np.bincount(code[code >= 0], minlength=n_groups)
    for start in range(0, len(ids), rows):
        part, groups = ids[start : start + rows], code[start : start + rows]
        present = np.unique(groups[groups >= 0]).tolist()
        losses = _losses(model, torch.as_tensor(part, device=parameters[0].device)) if present else None
        for group in present:
            where = torch.as_tensor(groups == group, device=parameters[0].device)
            mean = losses[where].sum() / int(sizes[group])  # type: ignore[index]
            mean.backward(retain_graph=group != present[-1])
            sums[group] = _sum(sums[group], [parameter.grad for parameter in parameters])
            for parameter in parameters:
                parameter.grad = None
    return sums


def _losses(model: Any, ids: Tensor) -> Tensor:
    logits = logits_of(model, ids[:, :-1].clamp(min=0))
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    losses = functional.cross_entropy(
        logits.flatten(0, 1), ids[:, 1:].flatten(), ignore_index=PADDING, reduction="none"
    )
    return losses.view(len(ids), -1)


def _sum(one: Gradient | None, other: Gradient) -> Gradient:
    if one is None:
        return other
    return [b if a is None else a if b is None else a + b for a, b in zip(one, other, strict=True)]


def scaled(gradient: Gradient, factor: float) -> Gradient:
    """The gradient times a number."""
    return [None if part is None else part * factor for part in gradient]


def total(gradients: Sequence[Gradient]) -> Gradient:
    """The sum of gradients."""
    summed: Gradient | None = None
    for gradient in gradients:
        summed = _sum(summed, gradient)
    return summed or []


def clip_factor(gradient: Gradient, clip: float) -> float:
    """By what clipping multiplies a gradient, as `torch.nn.utils.clip_grad_norm_` does. clip: infinite for none."""
    parts = [torch.linalg.vector_norm(part) for part in gradient if part is not None]
    norm = float(torch.linalg.vector_norm(torch.stack(parts))) if parts else 0.0
    return min(1.0, clip / (norm + 1e-6))


@dataclass(frozen=True)
class Stepper:
    """Takes one step at a time from the checkpoint: `start` are its weights, to which the model always returns."""

    model: Any
    updater: Updater
    start: list[Tensor]

    def update(self, gradient: Gradient) -> Update:
        """What the step of a gradient, which is not clipped here, changes in each parameter."""
        self.updater.restart()
        try:
            for parameter, part in zip(self.model.parameters(), gradient, strict=True):
                parameter.grad = None if part is None else part.clone()
            self.updater.step()
            return [
                parameter.detach() - before
                for parameter, before in zip(self.model.parameters(), self.start, strict=True)
            ]
        finally:
            self.reset()

    def reset(self) -> None:
        """Give the model the weights of the checkpoint, without gradients."""
        restore_parameters(self.model, self.start)

    @contextmanager
    def moved(self, update: Update) -> Iterator[None]:
        """The model with the update added inside the block."""
        try:
            with torch.no_grad():
                for parameter, part in zip(self.model.parameters(), update, strict=True):
                    parameter.add_(part)
            yield
        finally:
            self.reset()


def shares_of_update(stepper: Stepper, parts: Sequence[Gradient], seed: int) -> tuple[list[Update], Update]:
    """The share of each part in the update that the sum of all parts gives, and the update of a gradient of zero.

    The share of a part is its Shapley value: the change of the update when this part of the gradient is added, the
    mean over `ORDERS` random orders of adding them, each forwards and backwards. The shares and the update of a
    gradient of zero sum up to the whole update, whatever the optimizer. For SGD a share is -lr times the part; where
    the parts interact in pairs alone, every order gives the same shares. Source: Shapley 1953.
    """
    nothing = scaled(total(parts), 0.0)
    idle = stepper.update(nothing)
    shares = [[torch.zeros_like(part) for part in idle] for _ in parts]
    generator = np.random.default_rng(seed)
    forwards = [generator.permutation(len(parts)).tolist() for _ in range(ORDERS)]
    orders = [order for one in forwards for order in (one, one[::-1])]
    for order in orders:
        gradient, before = nothing, idle
        for k in order:
            gradient = total([gradient, parts[k]])
            after = stepper.update(gradient)
            for share, later, earlier in zip(shares[k], after, before, strict=True):
                share.add_(later - earlier, alpha=1 / len(orders))
            before = after
    return shares, idle
