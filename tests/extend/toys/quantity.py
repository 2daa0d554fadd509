"""How many tokens the model holds more likely than the label. Letters: n positions, V vocabulary."""

from jaxtyping import Float, Int
from torch import Tensor

NAME = "rank"
MEANING = "rank of the label, from 0"
UNIT = "tokens"


def measure(logits: Float[Tensor, "n V"], labels: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
    return (logits > logits.gather(-1, labels[:, None])).sum(-1).float()
