"""The parameter update of one optimizer step from a checkpoint; the model itself is restored."""

from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Int

from zerosum.errors import InputError
from zerosum.training.acceleration import new_accelerator_on
from zerosum.training.real_steps import restore_parameters, sequences_at_a_time
from zerosum.training.step import update
from zerosum.training.updater import Updater


def one_update(
    model: Any, updater: Updater, batch: Int[np.ndarray, "s L"], *, tokens_per_batch: int | Literal["auto"] = "auto"
) -> dict[str, Any]:
    """The update u of every parameter by name, weight decay and clipping included; the model is restored.

    batch: s sequences of L token ids, -1 is padding. The model is in evaluation mode: no dropout.
    Raises InputError where the gradient is not finite.
    """
    model.eval()
    device = next(model.parameters()).device
    start = [parameter.detach().clone() for parameter in model.parameters()]
    updater.restart()
    try:
        tokens = torch.as_tensor(batch, dtype=torch.int64, device=device)
        rows = sequences_at_a_time(model, batch.shape[1] - 1, tokens_per_batch)
        accelerator = new_accelerator_on(device.type)
        gradient = update(accelerator, model, updater.optimizer, tokens, clip=updater.clip, rows=rows)
        norm = gradient.norm.item()
        updated = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    finally:
        restore_parameters(model, start)
    if not np.isfinite(norm):
        raise InputError(f"gradient norm {norm} on --train: no step can be taken. Give another batch, or --seed.")
    return {name: after - before for (name, after), before in zip(updated.items(), start, strict=True)}
