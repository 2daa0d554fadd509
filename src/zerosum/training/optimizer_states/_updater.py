"""An optimizer that can be put back to where it was saved, so that each step begins at the same place."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

State = dict[nn.Parameter, dict[str, Tensor]]


@dataclass(frozen=True)
class Updater:
    """How gradients become an update of one model.

    optimizer: bound to the model's parameters. state: of each parameter, as it was saved. clip: largest norm of the
    gradient, infinite for none. settings: all its numbers, for the record. notes: what a reader has to know, one
    sentence each. batch_size: sequences of one update in the run; None where it is not saved.
    """

    optimizer: torch.optim.Optimizer
    state: State
    clip: float
    settings: dict[str, Any]
    notes: tuple[str, ...] = ()
    batch_size: int | None = None

    def restart(self) -> None:
        """Put the optimizer into the state that was saved, whatever steps it has taken since."""
        self.optimizer.state.clear()
        for parameter, saved in self.state.items():
            self.optimizer.state[parameter] = {name: _own(name, value, parameter) for name, value in saved.items()}


def _own(name: str, value: Tensor, parameter: Tensor) -> Tensor:
    """A copy, in the precision of the parameter. Adam's count of steps belongs on the CPU."""
    if name == "step":
        return value.detach().to("cpu", torch.float32, copy=True)
    return value.detach().to(parameter.device, parameter.dtype, copy=True)
