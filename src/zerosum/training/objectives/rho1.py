"""Selective language modelling: only tokens that a reference model predicts better are trained on.

Source: Lin et al. 2024 (Rho-1), arXiv 2404.07965.
"""

import math
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from zerosum.training.identity import Identity
from zerosum.training.objective_settings import BatchLosses, ObjectiveSettings

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


class Rho1Settings(ObjectiveSettings):
    """Mean cross-entropy of the share k of the batch's tokens whose excess loss `l - l_ref` is largest.

    l_ref: loss of the reference model. Of N tokens `ceil(k N)` are kept, and the mean is over these; of equal excess
    losses the first in the batch is kept. reference: a finished run of zerosum, a checkpoint, or a model on the hub.
    """

    source: ClassVar[str] = "Lin et al. 2024, arXiv 2404.07965"
    cost: ClassVar[str] = (
        "a forward pass of the reference model over the batch, counted as reference_tokens; with gradient accumulation "
        "one more forward pass of the model"
    )
    identity: ClassVar[Identity | None] = Identity({"k": 1.0}, "cross_entropy", tolerance=1e-14)
    weighs_tokens: ClassVar[bool] = True

    kind: str = "rho1"
    reference: str = Field(min_length=1)
    k: float = Field(default=0.6, gt=0, le=1)

    @property
    def reference_model(self) -> str | None:
        """The reference."""
        return self.reference

    def weights(self, batch: BatchLosses) -> "Float[Tensor, 'S T']":
        """1 / kept for the tokens that are kept, 0 for the others."""
        import torch

        if batch.reference is None:
            raise ValueError("rho1 needs the losses of its reference model")
        excess = torch.where(batch.predicted, batch.losses - batch.reference, -torch.inf).flatten()
        kept = math.ceil(round(self.k * int(batch.predicted.sum()), 6))  # 0.1 * 30 is a little above 3
        weights = torch.zeros_like(excess)
        weights[excess.sort(descending=True, stable=True).indices[:kept]] = 1 / kept
        return weights.reshape(batch.losses.shape)


OBJECTIVE = Rho1Settings
