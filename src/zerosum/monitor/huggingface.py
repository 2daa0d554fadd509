"""The monitor in Hugging Face's Trainer: Trainer(..., callbacks=[ZerosumCallback(probe_tokens)]).

Values reach `trainer.state.log_history` and everything in `report_to` at their step, the number of updates made before.
Trainer calls `on_pre_optimizer_step` and `on_optimizer_step` around each update, without inputs or loss: the batch is
not measured, and the verdict sees the losses that Trainer logs (`logging_steps`).
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from zerosum.monitor._monitor import Monitor, require_arguments


class ZerosumCallback(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
    """probe_tokens, settings: see `Monitor`. The state is saved with each checkpoint, and read by a resumed run."""

    def __init__(self, probe_tokens: Any, **settings: Any):
        require_arguments(probe_tokens, settings)
        self._probe_tokens, self._settings = probe_tokens, settings
        self._trainer: Trainer | None = None
        self.monitor: Monitor | None = None
        """The monitor, from the beginning of training on."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Begin, or continue from the state beside the weights."""
        self._trainer = _calling_trainer()
        options = {"optimizer": given.get("optimizer"), "total_steps": state.max_steps, "log": self._log}
        self.monitor = Monitor(given["model"], self._probe_tokens, **(options | self._settings))
        if state.global_step:
            self.monitor.load(_checkpoint(args, state))

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Measure before a scheduled update."""
        if self.monitor:
            self.monitor.before_update(state.global_step)

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Measure after it, and log."""
        if self.monitor:
            self.monitor.after_update(state.global_step)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        """Take Trainer's mean loss over the last updates."""
        logs = given.get("logs") or {}
        if self.monitor and "loss" in logs:
            self.monitor.observe(state.global_step - 1, float(logs["loss"]), logs.get("learning_rate"))

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        """Write the state beside the weights."""
        if self.monitor:
            self.monitor.save(_checkpoint(args, state))

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        """Look at the last losses."""
        if self.monitor:
            self.monitor.close()

    def _log(self, values: Mapping[str, float], step: int) -> None:
        if self._trainer is not None:
            self._trainer.log(dict(values))


def _checkpoint(args: TrainingArguments, state: TrainerState) -> Path:
    return Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"


def _calling_trainer() -> Trainer | None:
    """The Trainer that calls this callback. It gives callbacks no access to its log, which this needs."""
    frame = sys._getframe()
    while frame is not None:
        if isinstance(caller := frame.f_locals.get("self"), Trainer):
            return caller
        frame = frame.f_back  # type: ignore[assignment]
    return None
