"""What training tells while it runs: signs that a run is not what was meant. Training goes on. Needs no torch."""

import math
import statistics
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from zerosum.training.recipe import Recipe

Code = Literal["warmup-longer-than-run", "other-horizon", "rate-zero", "spike", "unchanged-checkpoint"]

WINDOW = 64  # updates whose losses tell what is usual
SMALLEST_SPIKE = 0.1  # nats per token above the usual loss
DEVIATIONS = 8.0  # a spike is so many standard deviations above the usual loss


class TrainingWarning(UserWarning):
    """The warning of a notice, where nobody else receives it."""


@dataclass(frozen=True)
class Notice:
    """A sign that something is wrong. code: of the kind; step: updates made when it was seen; message: one sentence."""

    code: Code
    step: int
    message: str


Tell = Callable[[Notice], None]


def warn(notice: Notice) -> None:
    """Tell a notice as a warning of Python."""
    warnings.warn(f"step {notice.step}: {notice.message}", TrainingWarning, stacklevel=2)


def before_training(recipe: Recipe) -> Iterator[Notice]:
    """Notices that the recipe alone gives."""
    warmup, step = recipe.schedule.warmup_steps, recipe.first_step
    if warmup >= recipe.steps:
        yield Notice(
            "warmup-longer-than-run",
            step,
            f"schedule.warmup_steps {warmup} is not below steps {recipe.steps}: the full rate is never reached.",
        )
    horizon = recipe.optimizer.horizon
    if horizon is not None and horizon != recipe.steps:
        yield Notice(
            "other-horizon",
            step,
            f"optimizer.{recipe.optimizer.kind} is set for {horizon} steps and the run has {recipe.steps}: another "
            "length is another method.",
        )


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


class StepWatch:
    """Notices of single updates. losses: of the updates before."""

    def __init__(self, losses: Sequence[float] = ()):
        self._losses = LossWatch(losses)
        self._rate_was_zero = False

    def __call__(self, step: int, loss: float, lr: float) -> Iterator[Notice]:
        """Notices of update `step`, which had this loss before it and this learning rate."""
        if lr == 0 and not self._rate_was_zero:
            yield Notice("rate-zero", step, "the learning rate is 0: from here on the weights do not change.")
        self._rate_was_zero = lr == 0
        if math.isfinite(loss) and self._losses.is_spike(loss):
            yield Notice("spike", step, f"the loss jumped to {loss:.3g}, far above that of the updates before.")
