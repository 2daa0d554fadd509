"""How far a loss curve jumps from row to row."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from zerosum.curves import LossCurve
from zerosum.estimate import Estimate
from zerosum.record import Record


@dataclass(frozen=True, repr=False)
class Roughness(Record):
    """jump: mean size of the difference between a loss and the next one, nats per token, over N differences."""

    name: str
    jump: Estimate

    def to_json(self) -> dict[str, Any]:
        """As `zerosum roughness --json` prints it."""
        return {"name": self.name, "jump": self.jump.to_json()}


def roughness(curve: LossCurve) -> Roughness:
    """Mean size of the differences between successive losses, with a 95 % interval by their standard error."""
    jumps = np.abs(np.diff(curve.loss))
    mean, half = float(jumps.mean()), 1.96 * float(jumps.std(ddof=1)) / len(jumps) ** 0.5
    jump = Estimate(mean, (mean - half, mean + half), N=len(jumps), of="differences", unit="nats per token")
    return Roughness(curve.name, jump)
