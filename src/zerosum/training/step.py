"""One optimizer step: the same function in the training loop and in the measurement of one step.

To look at a model before and after a real step, leaving the run alone:

    state = restore(run / "checkpoint-64", recipe)
    ...                                             # measure state.plain_model
    optimizer_step(state, batch(recipe, state.step))
    ...                                             # measure it again
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64
from torch.nn import functional

from zerosum.training.state import TrainingState


@dataclass(frozen=True)
class StepResult:
    """What one update did. loss: mean over the batch, nats per token, before the update; lr: the rate it used.

    grad_norm: Euclidean norm of the gradient before clipping, over all parameters.
    """

    loss: float
    lr: float
    grad_norm: float


def optimizer_step(state: TrainingState, batch: Int64[np.ndarray, "sequence window"]) -> StepResult:
    """Forward, backward, clip, update; moves `state` from step t to t + 1.

    batch: [sequences, length + 1] token ids of all processes together; each process takes its own rows, and loss and
    gradients are means over all of them.
    """
    recipe, accelerator = state.recipe, state.accelerator
    lr = recipe.learning_rate(state.step + 1)
    for group in state.optimizer.param_groups:
        group["lr"] = lr
    with cpu_threads(recipe.threads):
        share = len(batch) // accelerator.num_processes
        rows = batch[accelerator.process_index * share :][:share]
        tokens = torch.from_numpy(rows).to(accelerator.device)
        logits = state.model(input_ids=tokens[:, :-1], use_cache=False).logits
        loss = functional.cross_entropy(logits.float().flatten(0, 1), tokens[:, 1:].flatten())
        accelerator.backward(loss)
        norm = accelerator.clip_grad_norm_(state.model.parameters(), recipe.optimizer.clip)
        state.optimizer.step()
        state.optimizer.zero_grad()
        mean = accelerator.reduce(loss.detach(), "mean")
    state.step += 1
    return StepResult(loss=mean.item(), lr=lr, grad_norm=norm.item())


@contextmanager
def cpu_threads(number: int) -> Iterator[None]:
    """Compute with so many threads, then as before: the last digits of a step depend on it, so the step decides."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
