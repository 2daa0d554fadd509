"""Entropy of the predicted distribution: 0 where the model is certain, ln V where it guesses evenly.

Letters: n positions, V vocabulary.
"""

from jaxtyping import Float, Int
from torch import Tensor

NAME = "entropy"
MEANING = "entropy of the prediction"
UNIT = "nats"


def measure(logits: Float[Tensor, "n V"], labels: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
    """-sum_v q_v log q_v with q = softmax(logits), in nats, from 0 to ln V; labels are not used.

    A logit of minus infinity has q_v = 0 and adds nothing.
    """
    log_q = logits.log_softmax(-1)
    return -(log_q.exp() * log_q.masked_fill(log_q.isneginf(), 0.0)).sum(-1)
