"""A rate that is halved every few updates: toy."""

from pydantic import PositiveInt

from zerosum.training.schedule_settings import ScheduleSettings


class HalvingSettings(ScheduleSettings):
    kind: str = "halving"
    every: PositiveInt

    def after_warmup(self, step: int, steps: int) -> float:
        return 0.5 ** ((step - 1) // self.every)


SCHEDULE = HalvingSettings
