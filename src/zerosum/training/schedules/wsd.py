"""Warm-up, stable, decay: a constant rate with a cooldown at the end.

Source: Hu et al. 2024 (MiniCPM), arXiv 2404.06395; the shape 1 - sqrt is of Hägele et al. 2024, arXiv 2405.18392.
"""

import math
from typing import Literal

from pydantic import Field, PositiveInt

from zerosum.training.schedule_settings import ScheduleSettings


class WSDSettings(ScheduleSettings):
    """Linear warm-up, then the full rate, which falls towards the share `final` in the last `decay_steps` updates.

    The update after the last would have the share `final`. shape: of the fall: a straight line, or one minus the square
    root of the share of the cooldown that is done.

    >>> [WSDSettings(warmup_steps=0, decay_steps=3).factor(step, 4) for step in (1, 2, 3, 4)]
    [1.0, 0.75, 0.5, 0.25]
    """

    kind: str = "wsd"
    decay_steps: PositiveInt
    final: float = Field(default=0.0, ge=0, le=1)
    shape: Literal["linear", "sqrt"] = "linear"

    def after_warmup(self, step: int, steps: int) -> float:
        """1 until the cooldown begins."""
        done = max(0.0, (step - (steps - self.decay_steps)) / (self.decay_steps + 1))
        return 1 - (1 - self.final) * (done if self.shape == "linear" else math.sqrt(done))

    def require_fit(self, steps: int) -> None:
        """The cooldown is not longer than the run."""
        if self.decay_steps > steps:
            raise ValueError(f"schedule.decay_steps {self.decay_steps} is more than steps {steps}")


SCHEDULE = WSDSettings
