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
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from zerosum.tokens import PADDING
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
    """One update of the model in its current mode; the mean loss, nats per token, and the gradient's norm before it.

    tokens: ids, -1 where a sequence is padded, which is only at its end. clip: largest norm of the gradient, infinite
    for none. rows: sequences that go forward and back at a time; all by default. It changes the memory used, not the
    update: every predicted token of the batch weighs the same.
    """
    labels = tokens[:, 1:]
    number = (labels != PADDING).sum()
    total = torch.zeros((), device=tokens.device)
    for ids in torch.split(tokens, rows or len(tokens)):
        inputs, expected = ids[:, :-1].clamp(min=0), ids[:, 1:].flatten()
        logits = model(input_ids=inputs, use_cache=False).logits
        mean = functional.cross_entropy(logits.float().flatten(0, 1), expected, ignore_index=PADDING)
        loss = mean * ((expected != PADDING).sum() / number)
        accelerator.backward(loss)
        total += loss.detach()
    norm = accelerator.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()
    optimizer.zero_grad()
    return total, norm


@contextmanager
def cpu_threads(number: int) -> Iterator[None]:
    """Compute with so many threads, then as before: the last digits of a step depend on it, so the step decides."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
