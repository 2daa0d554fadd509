"""Per-token losses of earlier steps, for changes from a step to its double; in bounded memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from zerosum.monitor.schedule import Schedule

MOST_BYTES = 64 * 2**20


@dataclass
class RememberedLosses:
    """step -> losses [sequence, position] of the first sequences of the probe, float32; at most 64 MiB.

    Only steps whose double is scheduled are remembered, until it was measured. name: of their tensors in a state.
    """

    schedule: Schedule
    name: str = "losses-"
    most_bytes: int = MOST_BYTES
    losses: dict[int, Float32[np.ndarray, "S T"]] = field(default_factory=dict)

    def state(self) -> dict[str, Tensor]:
        """Tensors `losses-<step>`."""
        return {f"{self.name}{step}": torch.from_numpy(values) for step, values in self.losses.items()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Continue from a state, which may have more in it. Raises ValueError or AttributeError for no such tensors."""
        own = {name.removeprefix(self.name): value for name, value in state.items() if name.startswith(self.name)}
        losses = {int(step): value.cpu().numpy() for step, value in own.items()}
        if any(values.ndim != 2 for values in losses.values()):
            raise ValueError("not losses of sequences")
        self.losses = losses

    def half_of(self, step: int) -> int | None:
        """The remembered step whose double this is; None without one."""
        halves = [earlier for earlier in self.losses if self.schedule.double_of(earlier) == step]
        return min(halves, key=lambda earlier: abs(step - 2 * earlier), default=None)

    def add(self, step: int, losses: Float32[np.ndarray, "S T"]) -> bool:
        """Remember a step and forget those that are past; whether others had to go because memory was short."""
        doubles = {earlier: self.schedule.double_of(earlier) for earlier in (*self.losses, step)}
        self.losses[step] = losses
        self.losses = {
            earlier: self.losses[earlier] for earlier, double in doubles.items() if double is not None and double > step
        }
        short = False
        while sum(values.nbytes for values in self.losses.values()) > self.most_bytes and len(self.losses) > 1:
            short = True
            for earlier in sorted(self.losses)[::2]:
                del self.losses[earlier]
        return short
