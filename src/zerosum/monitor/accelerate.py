"""The monitor in a loop of Hugging Face's accelerate: `Monitor(model, probe_tokens).prepare(accelerator)`."""

from pathlib import Path
from typing import Any

from zerosum.monitor._monitor import Monitor
from zerosum.monitor.batches import predicted_tokens


def prepare(monitor: Monitor, accelerator: Any) -> None:
    """Log through `accelerator.log` where nothing else was chosen; look only at steps that update; save the state.

    While gradients are accumulated, `monitor.step` measures nothing until the step that updates. Where gradients are
    asked for, it takes those of the micro-batches, but not of the last one: the loop may have clipped the sum before
    `monitor.step`. The state is written and read with `accelerator.save_state` and `load_state`.
    """

    def updates(step: int, batch: Any) -> bool:
        if not accelerator.sync_gradients and monitor.takes_micro_batches(step):
            monitor.micro_batch(step, predicted_tokens(batch))
        return bool(accelerator.sync_gradients)

    monitor.host(log=accelerator.log, updates=updates)

    def save(models: Any, weights: Any, folder: str) -> None:
        monitor.save(Path(folder))

    def load(models: Any, folder: str) -> None:
        monitor.load(Path(folder))

    accelerator.register_save_state_pre_hook(save)
    accelerator.register_load_state_pre_hook(load)
