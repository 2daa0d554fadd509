"""The monitor in Lightning: Trainer(..., callbacks=[ZerosumCallback(probe_tokens)]).

Lightning calls `on_before_optimizer_step` before each update, and `on_train_batch_end` after each batch, also where it
only accumulates gradients: a batch made an update where the former was called since. `on_after_backward` sees the
gradient of each batch before it is clipped. Values go to every logger of the Trainer at their step, the number of
updates made before; the state is in the callback's part of each checkpoint.
"""

from collections.abc import Mapping
from typing import Any

from zerosum.errors import InputError, MissingExtra
from zerosum.monitor._monitor import Monitor
from zerosum.monitor.arguments import require_arguments
from zerosum.monitor.batches import ids_of, predicted_tokens

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ImportError:
    try:
        from pytorch_lightning import Callback, LightningModule, Trainer
    except ImportError as missing:
        raise MissingExtra("lightning", "lightning") from missing


class ZerosumCallback(Callback):  # type: ignore[misc]  # Lightning may not be installed
    """probe_tokens, settings: see `Monitor`. model: name of the language model in the LightningModule.

    By default `model` where it has an attribute of this name, else the module itself, which then returns logits. batch:
    measure the tokens of the batch of each update, the last of an accumulated one, where it has token ids (`ids_of`).
    """

    def __init__(self, probe_tokens: Any, *, model: str | None = None, batch: bool = True, **settings: Any):
        require_arguments(probe_tokens, settings)
        self._probe_tokens, self._name, self._settings = probe_tokens, model, settings
        self._with_batch, self._batch = batch, None
        self._saved: Mapping[str, Any] = {}
        self._step: int | None = None
        self.monitor: Monitor | None = None
        """The monitor, from the beginning of training on."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin, or continue from the saved state."""

        def log(values: Mapping[str, float], step: int) -> None:
            for logger in trainer.loggers:
                logger.log_metrics(dict(values), step)

        if self._name and not hasattr(pl_module, self._name):
            raise InputError(f"model={self._name!r}: {type(pl_module).__name__} has no such attribute. Give its name.")
        model = getattr(pl_module, self._name or "model", pl_module)
        optimizers = trainer.optimizers
        options: dict[str, Any] = {"optimizer": optimizers, "log": log}
        options["total_steps"] = _total_steps(trainer) if len(optimizers) == 1 else None
        self.monitor = Monitor(model, self._probe_tokens, **(options | self._settings))
        if len(optimizers) > 1:
            self.monitor.tell(
                "several-optimizers",
                f"{len(optimizers)} optimizers: their updates in a batch are measured together, as one step.",
            )
        if self._saved:
            self.monitor.load_state_dict(self._saved)
            self._saved = {}

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Hold the batch, which the calls around its update do not get."""
        self._batch = batch

    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the gradient of one of several batches of an update. Lightning divides their losses by their number.

        With manual optimization gradients may be set to zero in between, which no hook tells.
        """
        accumulates = trainer.accumulate_grad_batches > 1 and pl_module.automatic_optimization
        if self.monitor and accumulates and self.monitor.takes_micro_batches(step := _updates(trainer)):
            self.monitor.micro_batch(step, predicted_tokens(self._batch))

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Any) -> None:
        """Measure before the first update of a batch."""
        if self.monitor and self._step is None:
            self._step = _updates(trainer)
            is_measured = self._with_batch and self._step in self.monitor.schedule
            self.monitor.before_update(self._step, batch=ids_of(self._batch) if is_measured else None)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Measure after an update, and log."""
        if self.monitor and self._step is not None:
            loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
            self.monitor.after_update(self._step, loss=loss)
            self._step = None
        self._batch = None

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the last losses."""
        if self.monitor:
            self.monitor.close()

    def state_dict(self) -> dict[str, Any]:
        """The monitor's state: numbers, texts, lists, dicts and tensors."""
        return self.monitor.state_dict() if self.monitor else dict(self._saved)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a state."""
        self._saved = state_dict


def _updates(trainer: Trainer) -> int:
    """Updates made so far. Lightning counts those of each optimizer."""
    return int(trainer.global_step) // len(trainer.optimizers)


def _total_steps(trainer: Trainer) -> int | None:
    steps = trainer.estimated_stepping_batches
    return int(steps) if 0 < steps < float("inf") else None
