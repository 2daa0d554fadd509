"""The monitor in a loop of Hugging Face's accelerate: `Monitor(model, probe_tokens).prepare(accelerator)`."""

from pathlib import Path
from typing import Any

from zerosum.monitor._monitor import Monitor


def prepare(monitor: Monitor, accelerator: Any) -> None:
    """Log through `accelerator.log` where nothing else was chosen; look only at steps that update; save the state.

    While gradients are accumulated, `monitor.step` does nothing until the step that updates. The state is written and
    read with `accelerator.save_state` and `load_state`.
    """
    monitor.host(log=accelerator.log, updates=lambda: bool(accelerator.sync_gradients))

    def save(models: Any, weights: Any, folder: str) -> None:
        monitor.save(Path(folder))

    def load(models: Any, folder: str) -> None:
        monitor.load(Path(folder))

    accelerator.register_save_state_pre_hook(save)
    accelerator.register_load_state_pre_hook(load)
