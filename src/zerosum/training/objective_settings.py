"""What every objective declares: a term added to each token's loss, a weight of each token, or both.

The training loss of a batch is `sum_i w_i (l_i + a_i)`: l_i the cross-entropy of token i, a_i an added term (z-loss),
w_i a weight without gradient; the weights of a batch sum to 1, and are 1/N unless the objective says otherwise.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from zerosum.training.identity import Identity
from zerosum.training.settings import Kind

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor


@dataclass(frozen=True)
class BatchLosses:
    """Losses of all tokens of a batch, of all passes and processes, from which an objective derives their weights.

    losses: [S, T] cross-entropies before the update, nats, without gradient; 0 at padding. predicted: [S, T] whether
    there is a token to predict. reference: [S, T] losses of the reference model; None where the objective has none.
    step: number of updates made so far.
    """

    losses: "Float[Tensor, 'S T']"
    predicted: "Bool[Tensor, 'S T']"
    reference: "Float[Tensor, 'S T'] | None"
    step: int


class ObjectiveSettings(Kind):
    """Settings of an objective; every objective subclasses this and adds its own."""

    source: ClassVar[str] = ""
    """Where the rule was published."""
    cost: ClassVar[str] = "none"
    """What a step costs beyond the baseline's, in words."""
    identity: ClassVar[Identity | None] = None
    """Settings at which it equals plain cross-entropy; None for the baseline itself."""
    weighs_tokens: ClassVar[bool] = False
    """Whether tokens have weights that depend on the losses of the whole batch."""

    @property
    def is_plain(self) -> bool:
        """Whether the training loss is the mean cross-entropy."""
        return not self.weighs_tokens and type(self).added is ObjectiveSettings.added

    @property
    def reference_model(self) -> str | None:
        """Run, checkpoint or hub name of the model whose losses the weights depend on; None where on none."""
        return None

    def added(self, logits: "Float[Tensor, 'n V']") -> "Float[Tensor, ' n'] | None":
        """[n] terms added to the losses of n positions, from their logits; None for none."""
        return None

    def weights(self, batch: BatchLosses) -> "Float[Tensor, 'S T']":
        """[S, T] weights of the tokens, at least 0, with sum 1; 0 where there is no token to predict."""
        return uniform(batch)


def uniform(batch: BatchLosses) -> "Float[Tensor, 'S T']":
    """[S, T] the same weight for every predicted token: that of the mean cross-entropy."""
    predicted = batch.predicted.to(batch.losses.dtype)
    return predicted / predicted.sum()
