"""Cross-entropy with PaLM's z-loss, which holds the normaliser Z of the softmax near 1.

Source: Chowdhery et al. 2022 (PaLM), arXiv 2204.02311, section 5.
"""

from typing import TYPE_CHECKING, ClassVar

from zerosum.training.identity import Identity
from zerosum.training.objective_settings import ObjectiveSettings
from zerosum.training.optimizer_settings import NonNegative

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


class ZLossSettings(ObjectiveSettings):
    """Mean of `l + c (log Z)^2`, where log Z is the logarithm of the summed exponentials of a token's logits.

    Its gradient on the logits is `2 c log Z q`, q the predicted probabilities. c: at least 0; PaLM's is 1e-4.
    """

    source: ClassVar[str] = "Chowdhery et al. 2022, arXiv 2204.02311"
    cost: ClassVar[str] = "one more sum over the logits of each token"
    identity: ClassVar[Identity | None] = Identity({"c": 0.0}, "cross_entropy")

    kind: str = "z_loss"
    c: NonNegative = 1e-4

    def added(self, logits: "Float[Tensor, 'n V']") -> "Float[Tensor, ' n'] | None":
        """`c (log Z)^2` of each position."""
        return self.c * logits.logsumexp(dim=-1) ** 2


OBJECTIVE = ZLossSettings
