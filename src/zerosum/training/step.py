"""One optimizer step, shared by the training loop and by the measurements of a step.

To measure a model before and after a real step of a run, without changing the run:

    state = restore(run / "checkpoint-64", recipe)
    ...                                             # measure state.plain_model
    optimizer_step(state, batch(recipe, state.step))
    ...                                             # measure it again
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from zerosum.losses.forward import logits_of
from zerosum.tokens import PADDING
from zerosum.training.state import TrainingState


@dataclass(frozen=True)
class StepResult:
    """The outcome of an update. loss: mean over the batch before the update, nats per token; lr: its learning rate.

    grad_norm: Euclidean norm of the gradient of all parameters before clipping.
    """

    loss: float
    lr: float
    grad_norm: float


def optimizer_step(state: TrainingState, batch: Int64[np.ndarray, "sequence window"]) -> StepResult:
    """Forward, backward, clip and update: advances `state` from step t to t + 1.

    batch: [sequences, length + 1] token ids of all processes together; each process takes its share of the rows, and
    loss and gradient are means over all rows.
    """
    recipe, accelerator = state.recipe, state.accelerator
    lr = recipe.learning_rate(state.step + 1)
    for group in state.optimizer.param_groups:
        group["lr"] = lr
    with cpu_threads(recipe.threads):
        share = len(batch) // accelerator.num_processes
        rows = batch[accelerator.process_index * share :][:share]
        tokens = torch.from_numpy(rows).to(accelerator.device)
        loss, norm = update(accelerator, state.model, state.optimizer, tokens, clip=recipe.optimizer.clip)
        mean = accelerator.reduce(loss, "mean")
    state.step += 1
    return StepResult(loss=mean.item(), lr=lr, grad_norm=norm.item())


def update(
    accelerator: Accelerator,
    model: Any,
    optimizer: Any,
    tokens: Int64[Tensor, "sequence window"],
    *,
    clip: float,
    rows: int | None = None,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Update the model in its current mode; returns the mean loss before, nats per token, and the gradient norm.

    tokens: ids; -1 is padding, at the end of sequences only. clip: largest norm of the gradient, infinite for none.
    rows: sequences in each forward and backward pass, all by default; it changes the memory used and not the update,
    because every predicted token of the batch has the same weight.
    """
    labels = tokens[:, 1:]
    n_predicted = (labels != PADDING).sum()
    total = torch.zeros((), device=tokens.device)
    for ids in torch.split(tokens, rows or len(tokens)):
        inputs, expected = ids[:, :-1].clamp(min=0), ids[:, 1:].flatten()
        logits = logits_of(model, inputs)
        mean = functional.cross_entropy(logits.float().flatten(0, 1), expected, ignore_index=PADDING)
        loss = mean * ((expected != PADDING).sum() / n_predicted)
        accelerator.backward(loss)
        total += loss.detach()
    norm = accelerator.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()
    optimizer.zero_grad()
    return total, norm


@contextmanager
def cpu_threads(number: int) -> Iterator[None]:
    """Compute with `number` threads inside the block: the last digits of a step depend on the number."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
