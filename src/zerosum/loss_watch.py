"""Spikes of a training loss, seen while it comes in. Needs neither numpy nor torch."""

import statistics
from collections import deque
from collections.abc import Sequence

WINDOW = 64  # updates whose losses tell what is usual
SMALLEST_SPIKE = 0.1  # nats per token above the usual loss
DEVIATIONS = 8.0  # a spike is so many standard deviations above the usual loss


class LossWatch:
    """Sees spikes of the loss. losses: of the updates before, so that a resumed run sees what the whole run sees.

    A spike is a loss that is more than 8 standard deviations, and 0.1 nats, above the median of the last 64; the
    deviation is estimated from the median absolute deviation. The next spike is told when the loss was usual again.
    """

    def __init__(self, losses: Sequence[float] = ()):
        self._losses: deque[float] = deque(maxlen=WINDOW)
        self._inside = False
        for loss in losses:
            self.is_spike(loss)

    def is_spike(self, loss: float) -> bool:
        """Whether a spike begins with this loss."""
        usual = self._usual_range()
        above = usual is not None and loss > usual
        begins, self._inside = above and not self._inside, above
        self._losses.append(loss)
        return begins

    def _usual_range(self) -> float | None:
        """The largest loss that is no spike; None before there are enough losses."""
        if len(self._losses) < WINDOW // 2:
            return None
        median = statistics.median(self._losses)
        deviation = 1.4826 * statistics.median(abs(loss - median) for loss in self._losses)
        return median + max(SMALLEST_SPIKE, DEVIATIONS * deviation)
