"""A constant learning rate."""

from zerosum.training.schedule_settings import ScheduleSettings


class ConstantSettings(ScheduleSettings):
    """Linear warm-up, then the full rate.

    >>> [ConstantSettings(warmup_steps=1).factor(step, 3) for step in (1, 2, 3)]
    [0.5, 1.0, 1.0]
    """

    kind: str = "constant"

    def after_warmup(self, step: int, steps: int) -> float:
        """Always 1."""
        return 1.0


SCHEDULE = ConstantSettings
