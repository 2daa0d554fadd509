"""Learning-rate schedules, one file each: the file's name is the kind, its `SCHEDULE` the class of its settings."""

from typing import TYPE_CHECKING

from zerosum.training.kinds import Kinds

if TYPE_CHECKING:
    from zerosum.training.schedule_settings import ScheduleSettings

SCHEDULES: "Kinds[ScheduleSettings]" = Kinds("schedule", __name__)
