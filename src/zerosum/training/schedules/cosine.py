"""Half a period of a cosine. Source: Loshchilov and Hutter 2017, arXiv 1608.03983."""

import math

from pydantic import Field

from zerosum.training.schedule_settings import ScheduleSettings


class CosineSettings(ScheduleSettings):
    """Linear warm-up, then a cosine that reaches the share `final` at the last update.

    >>> [round(CosineSettings(warmup_steps=0, final=0.1).factor(step, 4), 3) for step in (1, 2, 3, 4)]
    [1.0, 0.775, 0.325, 0.1]
    """

    kind: str = "cosine"
    final: float = Field(default=0.1, ge=0, le=1)

    def after_warmup(self, step: int, steps: int) -> float:
        """1 until the end of the warm-up, `final` at the last update."""
        first = min(self.warmup_steps + 1, steps)
        done = max(0.0, (step - first) / max(1, steps - first))
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * min(1.0, done))) / 2


SCHEDULE = CosineSettings
