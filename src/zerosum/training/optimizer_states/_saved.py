"""What every source of saved states hands over."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

Named = list[tuple[str, nn.Parameter]]


@dataclass(frozen=True)
class SavedState:
    """The state of an optimizer of torch, and whose it is.

    file: where it was read. content: what `optimizer.state_dict()` gave. groups: the model's parameters in the order in
    which the optimizer was given them, by group; rule: how they were grouped, in words, for errors. lr: the rate of
    the next update where the state itself does not say it. clip: largest gradient norm of the run, infinite for none;
    None where it is not saved. batch_size: sequences of one update; None where it is not saved.
    """

    file: Path
    content: Any
    groups: list[Named]
    rule: str
    lr: float | None = None
    clip: float | None = None
    batch_size: int | None = None


def by_shape(model: nn.Module) -> list[Named]:
    """Matrices, and then vectors: norms and biases."""
    trainable = [(name, one) for name, one in model.named_parameters() if one.requires_grad]
    return [[one for one in trainable if one[1].ndim >= 2], [one for one in trainable if one[1].ndim < 2]]
