"""The parameter update of one optimizer step from a checkpoint; the model itself is restored."""

from typing import Any, Literal

import numpy as np
from jaxtyping import Int, Int64

from zerosum.errors import InputError
from zerosum.training.acceleration import new_accelerator_on
from zerosum.training.replay.real_steps import restore_parameters, sequences_at_a_time
from zerosum.training.replay.updater import Updater


def one_update(
    model: Any,
    updater: Updater,
    batch: Int[np.ndarray, "s L"],
    domain: Int64[np.ndarray, " s"] | None = None,
    *,
    tokens_per_batch: int | Literal["auto"] = "auto",
) -> dict[str, Any]:
    """The update u of every parameter by name, weight decay and clipping included; the model is restored.

    batch: s sequences of L token ids, -1 is padding. domain: of each sequence, all 0 by default. The model is in
    evaluation mode: no dropout.
    Raises InputError where the gradient is not finite.
    """
    model.eval()
    device = next(model.parameters()).device
    start = [parameter.detach().clone() for parameter in model.parameters()]
    updater.restart()
    try:
        rows = sequences_at_a_time(model, batch.shape[1] - 1, tokens_per_batch)
        accelerator = new_accelerator_on(device.type)
        gradient = updater.update(accelerator, model, batch, domain, rows)
        norm = gradient.norm.item()
        updated = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    finally:
        restore_parameters(model, start)
    if not np.isfinite(norm):
        raise InputError(f"gradient norm {norm} on --train: no step can be taken. Give another batch, or --seed.")
    return {name: after - before for (name, after), before in zip(updated.items(), start, strict=True)}
