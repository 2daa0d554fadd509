"""A process's share of a batch: its forward passes, and what it needs of the shares of other processes.

Letters: S sequences of T predicted tokens in the batch of all processes, s of them in a share, V vocabulary.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from accelerate import Accelerator
from jaxtyping import Bool, Float, Int64, Shaped
from torch import Tensor
from torch.nn import functional

from zerosum.losses.forward import logits_of
from zerosum.tokens import PADDING
from zerosum.training.gradient_rule import GradientRule
from zerosum.training.state import preserved_generators


@dataclass(frozen=True)
class Share:
    """The sequences of a batch that one process trains on; the batch is the shares of all processes in their order.

    tokens: [s, L] ids, -1 is padding, at the end of sequences only. rows: sequences in a forward and backward pass.
    """

    accelerator: Accelerator
    model: Any
    tokens: Int64[Tensor, "s L"]
    rows: int
    rule: GradientRule

    @cached_property
    def predicted(self) -> Bool[Tensor, "s T"]:
        """Whether there is a token to predict."""
        return self.tokens[:, 1:] != PADDING

    @cached_property
    def dtype(self) -> torch.dtype:
        """Precision of losses and weights: float32, or float64 where the model is in float64."""
        return torch.promote_types(next(self.model.parameters()).dtype, torch.float32)

    def passes(self) -> tuple[Tensor, ...]:
        """Indices of the sequences of each pass."""
        return torch.split(torch.arange(len(self.tokens), device=self.tokens.device), self.rows)

    def logits(self, ids: Int64[Tensor, "n L"], model: Any = None) -> Float[Tensor, "positions V"]:
        """Logits at all n x T positions, float32 at least. model: another one than that which is trained."""
        with self.accelerator.autocast():
            logits = logits_of(self.model if model is None else model, ids[:, :-1].clamp(min=0))
        return logits.to(torch.promote_types(logits.dtype, torch.float32)).flatten(0, 1)

    def losses(self, ids: Int64[Tensor, "n L"]) -> tuple[Float[Tensor, "n T"], Float[Tensor, "n T"]]:
        """Cross-entropies, 0 at padding, and the same with what the objective adds to them."""
        logits = self.logits(ids)
        losses, added = _cross_entropies(logits, ids), self.rule.objective.added(logits)
        return losses, losses if added is None else losses + added.reshape(losses.shape)

    def losses_ahead(self, passes: Sequence[Int64[Tensor, " n"]]) -> Float[Tensor, "s T"]:
        """Cross-entropies without gradient, before the passes that train, which then drop out the same values."""
        losses = torch.zeros(self.predicted.shape, dtype=self.dtype, device=self.tokens.device)
        with torch.no_grad(), preserved_generators(self.tokens.device):
            for index in passes:
                losses[index] = _cross_entropies(self.logits(self.tokens[index]), self.tokens[index])
        return losses

    def reference_losses(self) -> Float[Tensor, "s T"] | None:
        """Cross-entropies of the objective's reference model, without dropout; None where there is none."""
        reference = self.rule.reference
        if reference is None:
            return None
        parts = torch.split(self.tokens, self.rows)
        with torch.no_grad():
            return torch.cat([_cross_entropies(self.logits(ids, reference), ids) for ids in parts]).to(self.dtype)

    def gradients_synchronised(self, last: bool) -> AbstractContextManager[Any]:
        """Data-parallel processes average their gradients in the backward pass of the last pass alone."""
        return nullcontext() if last else self.accelerator.no_sync(self.model)

    def gather(self, own: Shaped[Tensor, "s *T"]) -> Shaped[Tensor, "S *T"]:
        """The values of all processes."""
        everyone: Tensor = self.accelerator.gather(own)
        return everyone

    def own(self, everyone: Shaped[Tensor, "S *T"]) -> Shaped[Tensor, "s *T"]:
        """The values of this process among those of all."""
        first = self.accelerator.process_index * len(self.tokens)
        return everyone[first : first + len(self.tokens)]

    def sum(self, own: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        """The sum over all processes."""
        total: Tensor = self.accelerator.reduce(own, "sum")
        return total


def _cross_entropies(logits: Float[Tensor, "positions V"], ids: Int64[Tensor, "n L"]) -> Float[Tensor, "n T"]:
    expected = ids[:, 1:]
    losses = functional.cross_entropy(logits, expected.flatten(), ignore_index=PADDING, reduction="none")
    return losses.reshape(expected.shape)
