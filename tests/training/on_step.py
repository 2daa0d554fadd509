"""A callback that calls a function after each update."""

from collections.abc import Callable

from zerosum.training import AfterStep, Callback


class OnStep(Callback):
    def __init__(self, call: Callable[[int, float], object]):
        self.call = call

    def after_step(self, context: AfterStep) -> None:
        self.call(context.step, context.loss)
