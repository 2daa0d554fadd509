"""At which steps the monitor measures. A step counts the updates made so far, as in `checkpoint-<step>`."""

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

from zerosum.errors import InputError
from zerosum.interference import doubling_pairs


@dataclass(frozen=True)
class Schedule:
    """every: distance of scheduled steps; 0 for powers of two, or for the steps that are listed."""

    every: int = 0
    listed: tuple[int, ...] = ()

    def __contains__(self, step: int) -> bool:
        if self.listed:
            return self.next(step) == step
        return step > 0 and (step % self.every == 0 if self.every else step & (step - 1) == 0)

    def next(self, step: int) -> int | None:
        """The first scheduled step from a step on; None after the last.

        >>> Schedule().next(5), Schedule(every=3).next(0), Schedule(listed=(2, 7)).next(8)
        (8, 3, None)
        """
        if self.listed:
            at = bisect_left(self.listed, step)
            return self.listed[at] if at < len(self.listed) else None
        step = max(step, 1)
        return -(-step // self.every) * self.every if self.every else 1 << (step - 1).bit_length()

    def most_within(self, span: int) -> int:
        """The most scheduled steps that lie in a span of steps; powers of two count from the span on.

        >>> Schedule().most_within(64), Schedule(every=10).most_within(64), Schedule(listed=(2, 7, 90)).most_within(6)
        (1, 7, 2)
        """
        if self.listed:
            return max(bisect_left(self.listed, step + span) - k for k, step in enumerate(self.listed))
        return -(-span // self.every) if self.every else 1

    def double_of(self, step: int) -> int | None:
        """The scheduled step that `zerosum interference` pairs with this one as its double; None without one.

        >>> Schedule().double_of(8), Schedule(listed=(512, 1000, 3000)).double_of(512)
        (16, 1000)
        """
        if not self.listed:
            return 2 * step if step > 0 else None
        return dict(doubling_pairs(self.listed)[0]).get(step)

    def __str__(self) -> str:
        return f"every({self.every})" if self.every else ",".join(map(str, self.listed)) or "log2"


def every(k: int) -> Schedule:
    """Steps k, 2k, 3k, ... Raises InputError for a k below 1."""
    if k < 1:
        raise InputError(f"every({k}): not a distance of steps. Give 1 or more.")
    return Schedule(every=k)


def parse_schedule(schedule: "str | Iterable[int] | Schedule") -> Schedule:
    """A schedule from "log2" (1, 2, 4, ...), "every(k)", or a list of steps. Raises InputError for anything else.

    >>> [step for step in range(10) if step in parse_schedule("log2")]
    [1, 2, 4, 8]
    """
    if isinstance(schedule, Schedule):
        return schedule
    if isinstance(schedule, str):
        if schedule == "log2":
            return Schedule()
        if match := re.fullmatch(r"every\((\d{1,18})\)", schedule, re.ASCII):
            return every(int(match[1]))
        raise InputError(f"schedule {schedule!r}: not known. Give log2, every(k), or a list of steps.")
    steps = tuple(sorted({int(step) for step in schedule}))
    if not steps or steps[0] < 0:
        raise InputError(f"schedule {list(steps)}: no steps. Give numbers of updates from 0 on, or log2.")
    return Schedule(listed=steps)
