"""Callbacks of the training loop. Their protocol lies below this room, where the monitor sees it, too."""

from zerosum.callback import AfterStep, BeforeStep, Callback, TrainingContext

__all__ = ["AfterStep", "BeforeStep", "Callback", "TrainingContext"]
