"""The monitor in our own training loop: train(recipe, run, callbacks=(MonitorCallback(probe_tokens),)).

Knows the protocol of callbacks and nothing else of the loop.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from zerosum.callback import AfterStep, BeforeStep, Callback
from zerosum.monitor import names
from zerosum.monitor._monitor import Monitor
from zerosum.monitor.arguments import require_arguments


class MonitorCallback(Callback):
    """Values of the update from step t to t + 1 stand in row t + 1 of `metrics.jsonl`.

    probe_tokens, settings: see `Monitor`; `log` sends values elsewhere, too. batch: measure the tokens of the batch.
    """

    at_evaluation_weights: ClassVar[bool] = True

    def __init__(self, probe_tokens: Any, *, batch: bool = True, **settings: Any):
        require_arguments(probe_tokens, settings)
        self._probe_tokens, self._with_batch, self._settings = probe_tokens, batch, settings
        self._saved: Mapping[str, Any] = {}
        self._model: Any = None  # of the monitor: the same callback can watch several runs, one after the other
        self._warnings = 0  # in the log
        self.monitor: Monitor | None = None
        """The monitor, from the first update on."""

    @property
    def name(self) -> str:
        """Name under which the state is saved."""
        return "zerosum-monitor"

    def before_step(self, context: BeforeStep) -> None:
        """Measure before a scheduled update."""
        if self.monitor is None or self._model is not context.model:
            self._model = context.model
            self.monitor = Monitor(context.model, self._probe_tokens, **self._settings)
            if self._saved:
                self.monitor.load_state_dict(self._saved)
                self._saved = {}
            self._warnings = self.monitor.warnings
        self.monitor.before_update(context.step, batch=context.batch if self._with_batch else None)

    def after_pass(self, context: BeforeStep) -> Callable[[int], None] | None:
        """Take the gradients of the passes of a scheduled update, where gradients are asked for."""
        monitor = self.monitor
        if monitor is None or not monitor.takes_micro_batches(context.step):
            return None
        return lambda tokens: monitor.micro_batch(context.step, tokens, is_mean=False)

    def after_step(self, context: AfterStep) -> Mapping[str, float] | None:
        """Measure after it; the values for the log, with the number of warnings where there are new ones."""
        if self.monitor is None:
            return None
        values = self.monitor.after_update(context.step - 1, loss=context.loss, lr=context.lr)
        if self.monitor.warnings > self._warnings:
            values = values | {names.WARNINGS: float(self.monitor.warnings)}
        self._warnings = self.monitor.warnings
        return {names.STEP: float(context.step - 1), **values} if values else None

    def state_dict(self) -> Mapping[str, Any]:
        """The monitor's state."""
        return self.monitor.state_dict() if self.monitor else self._saved

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state."""
        self._saved, self.monitor = state, None
