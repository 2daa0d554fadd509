"""Spikes of a training loss, seen while it comes in. Needs neither numpy nor torch."""

import statistics
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence

WINDOW = 64  # updates whose losses tell what is usual
SMALLEST_SPIKE = 0.1  # nats per token above the usual loss
DEVIATIONS = 8.0  # a spike is so many standard deviations above the usual loss


class LossWatch:
    """Sees spikes of the loss, with that of each update. losses: of the updates before, in a resumed run; finite.

    A spike is a loss that is more than 8 standard deviations, and 0.1 nats, above the median of the last 64; the
    deviation is estimated from the median absolute deviation. The next spike is told when the loss was usual again.
    """

    def __init__(self, losses: Sequence[float] = ()):
        self._losses: deque[float] = deque()
        self._in_order: list[float] = []
        self._inside = False
        for loss in losses:
            self.is_spike(loss)

    def is_spike(self, loss: float) -> bool:
        """Whether a spike begins with this loss, a finite one."""
        above = len(self._losses) >= WINDOW // 2 and self._is_above(loss)
        begins, self._inside = above and not self._inside, above
        self._losses.append(loss)
        insort(self._in_order, loss)
        if len(self._losses) > WINDOW:
            del self._in_order[bisect_left(self._in_order, self._losses.popleft())]
        return begins

    def _is_above(self, loss: float) -> bool:
        """Whether a loss is above the usual range."""
        median = statistics.median(self._in_order)
        if loss <= median + SMALLEST_SPIKE:  # of nearly every loss: the deviation takes most of the time
            return False
        deviation = 1.4826 * statistics.median(abs(other - median) for other in self._losses)
        return loss > median + DEVIATIONS * deviation
