"""What training tells while it runs: signs that a run is not what was meant. Training goes on. Needs no torch."""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from zerosum.errors import InputWarning
from zerosum.loss_watch import LossWatch
from zerosum.training.recipe import Recipe

Code = Literal["warmup-longer-than-run", "other-horizon", "rate-zero", "spike", "unchanged-checkpoint"]


class TrainingWarning(InputWarning):
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
    horizon, cooldown = recipe.optimizer.horizon, getattr(recipe.schedule, "decay_steps", 0)
    if horizon is not None and horizon not in (recipe.steps, recipe.steps - cooldown):
        yield Notice(
            "other-horizon",
            step,
            f"optimizer.{recipe.optimizer.kind} is set for {horizon} steps and the run has {recipe.steps}: another "
            "length is another method.",
        )


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
