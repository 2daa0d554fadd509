"""What every learning-rate schedule declares."""

from abc import abstractmethod

from pydantic import Field

from zerosum.training.settings import Kind


class ScheduleSettings(Kind):
    """The learning rate of each update as a share of the full rate, after a linear warm-up.

    warmup_steps: number of updates below the full rate; the first has the share 1 / (warmup_steps + 1).
    """

    warmup_steps: int = Field(default=1, ge=0)

    @abstractmethod
    def after_warmup(self, step: int, steps: int) -> float:
        """Share of update `step` (1 is the first) of `steps` without the warm-up, in [0, 1]."""

    def factor(self, step: int, steps: int) -> float:
        """Share of the full rate of update `step` of `steps`, in [0, 1]."""
        return min(1.0, step / (self.warmup_steps + 1)) * self.after_warmup(step, steps)

    def require_fit(self, steps: int) -> None:
        """Raise ValueError where the schedule cannot be that of a run of so many steps."""
