"""The update of one real optimizer step, and the model as it was before it."""

from typing import Any, Literal

import numpy as np
import torch
from accelerate import Accelerator
from jaxtyping import Int

from zerosum.errors import InputError
from zerosum.training.optimizer_states import Updater
from zerosum.training.real_steps import put_back, rows_of
from zerosum.training.step import update


def one_update(
    model: Any, updater: Updater, batch: Int[np.ndarray, "s L"], *, tokens_per_batch: int | Literal["auto"] = "auto"
) -> dict[str, Any]:
    """u of every parameter by name, weight decay and clipping included; the model is put back.

    batch: token ids, -1 where a sequence is padded. Nothing is dropped out.
    Raises InputError where the step is not finite.
    """
    model.eval()
    device = next(model.parameters()).device
    start = [parameter.detach().clone() for parameter in model.parameters()]
    updater.restart()
    try:
        tokens = torch.as_tensor(batch, dtype=torch.int64, device=device)
        rows = rows_of(model, batch.shape[1] - 1, tokens_per_batch)
        accelerator = Accelerator(cpu=device.type == "cpu")
        _, norm = update(accelerator, model, updater.optimizer, tokens, clip=updater.clip, rows=rows)
        moved = {name: one.detach().clone() for name, one in model.named_parameters()}
    finally:
        put_back(model, start)
    if not np.isfinite(norm.item()):
        raise InputError(
            f"gradient norm {norm.item()} on --train: no step can be taken. Give another batch, or --seed."
        )
    return {name: after - before for (name, after), before in zip(moved.items(), start, strict=True)}
