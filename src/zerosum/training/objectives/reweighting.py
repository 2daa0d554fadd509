"""Tokens weighted by their losses: easy ones count less.

Source: Sow et al. 2025, Dynamic Loss-Based Sample Reweighting for Improved LLM Pretraining, arXiv 2502.06733.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, NonNegativeInt

from zerosum.training.identity import Identity
from zerosum.training.objective_settings import BatchLosses, ObjectiveSettings, uniform

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


class ReweightingSettings(ObjectiveSettings):
    """Weights proportional to `exp(f(h) / r)`, where `h = 2 (l - min l) / (max l - min l) - 1` over the whole batch.

    level: l is the mean loss of a sequence, which all its tokens share (the paper's), or the loss of a token. f:
    linupper `min(h + 1, 1)` lowers the weight of losses below the middle, quadratic `1 - h^2` that of both ends,
    extremes `|h|` that of the middle. r: the largest weight is at most e^(1/r) times the smallest. burn_in: number of
    first updates with equal weights. Where all l are equal, so are the weights.
    """

    source: ClassVar[str] = "Sow et al. 2025, arXiv 2502.06733"
    cost: ClassVar[str] = "none in one pass; with gradient accumulation one more forward pass over the batch"
    identity: ClassVar[Identity | None] = Identity({"r": 1e12}, "cross_entropy", tolerance=1e-11)
    weighs_tokens: ClassVar[bool] = True

    kind: str = "reweighting"
    level: Literal["sequence", "token"] = "sequence"
    f: Literal["linupper", "quadratic", "extremes"] = "linupper"
    r: float = Field(default=1.0, gt=0)
    burn_in: NonNegativeInt = 0

    def weights(self, batch: BatchLosses) -> "Float[Tensor, 'S T']":
        """See the class."""
        import torch

        if batch.step < self.burn_in:
            return uniform(batch)
        losses, counted = batch.losses, batch.predicted
        if self.level == "sequence":
            lengths = batch.predicted.sum(dim=1, keepdim=True)
            losses, counted = losses.sum(dim=1, keepdim=True) / lengths.clamp(min=1), lengths > 0
        low, high = losses[counted].min(), losses[counted].max()
        h = torch.where(high > low, 2 * (losses - low) / (high - low) - 1, 0.0)
        exponents = (self._score(h) / self.r).expand_as(batch.losses)
        flat = exponents.masked_fill(~batch.predicted, -torch.inf).flatten()
        return flat.softmax(dim=0).reshape(batch.losses.shape)

    def _score(self, h: "Float[Tensor, 'S *T']") -> "Float[Tensor, 'S *T']":
        if self.f == "linupper":
            return (h + 1).clamp(max=1)
        return 1 - h**2 if self.f == "quadratic" else h.abs()


OBJECTIVE = ReweightingSettings
