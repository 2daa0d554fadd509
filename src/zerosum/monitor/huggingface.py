"""The monitor in Hugging Face's Trainer: Trainer(..., callbacks=[ZerosumCallback(probe_tokens)]).

Values reach `trainer.state.log_history` and everything in `report_to` at their step, the number of updates made before.
Trainer calls `on_pre_optimizer_step` and `on_optimizer_step` around each update, after gradients were clipped, and
without inputs or loss. So the callback also stands around `trainer.training_step` while a model trains, which Trainer
calls for each micro-batch. The verdict sees the losses that Trainer logs (`logging_steps`).
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from zerosum.monitor._monitor import Monitor
from zerosum.monitor.arguments import require_arguments
from zerosum.monitor.batches import ids_of, predicted_tokens

AfterMicroBatch = Callable[[Trainer, Any, Any], None]
"""Gets the trainer, the inputs of a micro-batch, and the tokens of the update that its loss is divided by, or None."""


class ZerosumCallback(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
    """probe_tokens, settings: see `Monitor`. The state is saved with each checkpoint, and read by a resumed run.

    batch: measure the tokens of the batch of each update, the last of an accumulated one.
    """

    def __init__(self, probe_tokens: Any, *, batch: bool = True, **settings: Any):
        require_arguments(probe_tokens, settings)
        self._probe_tokens, self._with_batch, self._settings = probe_tokens, batch, settings
        self._trainer: Trainer | None = None
        self._inputs: Any = None  # of the last micro-batch
        self.monitor: Monitor | None = None
        """The monitor, from the beginning of training on."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Begin, or continue from the state beside the weights."""
        self._trainer = _calling_trainer()
        if self._trainer is not None:
            _let_go(self._trainer, self._after_micro_batch)  # after training that failed
            _stand_around(self._trainer, self._after_micro_batch)
        options = {"optimizer": given.get("optimizer"), "total_steps": state.max_steps, "log": self._log}
        self.monitor = Monitor(given["model"], self._probe_tokens, **(options | self._settings))
        if state.global_step:
            self.monitor.load(_checkpoint(args, state))

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Measure before a scheduled update."""
        if self.monitor:
            is_measured = self._with_batch and state.global_step in self.monitor.schedule
            self.monitor.before_update(state.global_step, batch=ids_of(self._inputs) if is_measured else None)
        self._inputs = None

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
        if self._trainer is not None:
            _let_go(self._trainer, self._after_micro_batch)

    def _after_micro_batch(self, trainer: Trainer, inputs: Any, n_items: Any) -> None:
        """After the backward pass of a micro-batch; see `AfterMicroBatch`."""
        self._inputs = inputs
        step = trainer.state.global_step
        if self.monitor and trainer.args.gradient_accumulation_steps > 1 and self.monitor.takes_micro_batches(step):
            is_sum = trainer.model_accepts_loss_kwargs or trainer.compute_loss_func is not None
            self.monitor.micro_batch(step, predicted_tokens(inputs), is_mean=n_items is None or not is_sum)

    def _log(self, values: Mapping[str, float], step: int) -> None:
        if self._trainer is not None:
            self._trainer.log(dict(values))


def _checkpoint(args: TrainingArguments, state: TrainerState) -> Path:
    return Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"


def _stand_around(trainer: Trainer, after: AfterMicroBatch) -> None:
    """Until `_let_go`, call `after` when `trainer.training_step` has returned."""
    own: Any = trainer.training_step
    if not hasattr(own, "listeners"):

        def training_step(model: Any, inputs: Any, num_items_in_batch: Any = None, *given: Any, **more: Any) -> Any:
            loss = own(model, inputs, num_items_in_batch, *given, **more)
            for listener in listeners:
                listener(trainer, inputs, num_items_in_batch)
            return loss

        listeners: list[AfterMicroBatch] = []
        vars(training_step).update(own=own, listeners=listeners)
        trainer.training_step = training_step
    trainer.training_step.listeners.append(after)


def _let_go(trainer: Trainer, after: AfterMicroBatch) -> None:
    around: Any = trainer.training_step
    if after in getattr(around, "listeners", ()):
        around.listeners.remove(after)
        if not around.listeners:
            del trainer.training_step
            if trainer.training_step != around.own:  # somebody else's, on this trainer alone
                trainer.training_step = around.own


def _calling_trainer() -> Trainer | None:
    """The Trainer that calls this callback. It gives callbacks no access to its log, which this needs."""
    frame = sys._getframe()
    while frame is not None:
        if isinstance(caller := frame.f_locals.get("self"), Trainer):
            return caller
        frame = frame.f_back  # type: ignore[assignment]
    return None
