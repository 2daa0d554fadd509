"""One optimizer step, shared by the training loop and by the measurements of a step.

To measure a model before and after a real step of a run, without changing the run:

    state = restore(run / "checkpoint-64", recipe)
    ...                                             # measure state.plain_model
    optimizer_step(state, batch(recipe, state.step))
    ...                                             # measure it again
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from zerosum.losses.forward import logits_of
from zerosum.tokens import PADDING
from zerosum.training.corpus import Batch
from zerosum.training.state import TrainingState


@dataclass(frozen=True)
class StepResult:
    """The outcome of an update. loss: mean over the batch before the update, nats per token; lr: its learning rate.

    grad_norm: Euclidean norm of the gradient of all parameters before clipping.
    """

    loss: float
    lr: float
    grad_norm: float


class NotFinite(Exception):
    """The loss or the gradient of a step is infinite or not a number. result: of the step that was not taken."""

    def __init__(self, result: StepResult):
        super().__init__(f"loss {result.loss}, gradient norm {result.grad_norm}")
        self.result = result


def optimizer_step(state: TrainingState, batch: Batch) -> StepResult:
    """Forward, backward, clip and update: advances `state` from step t to t + 1.

    batch: of all processes together; each process takes its share of the rows, and loss and gradient are means over all
    predicted tokens. Raises NotFinite, before anything of the state is changed.
    """
    recipe, accelerator = state.recipe, state.accelerator
    lr = recipe.learning_rate(state.step + 1)
    for group in state.optimizer.param_groups:
        group["lr"] = lr * group.get("lr_factor", 1.0)
    with cpu_threads(recipe.threads):
        share = len(batch.ids) // accelerator.num_processes
        own = slice(accelerator.process_index * share, (accelerator.process_index + 1) * share)
        tokens = torch.from_numpy(batch.ids[own]).to(accelerator.device)
        rows = -(-share // recipe.batch.passes)
        loss, norm = backward(accelerator, state.model, tokens, clip=recipe.optimizer.clip, rows=rows)
        result = StepResult(loss=loss.item(), lr=lr, grad_norm=norm.item())
        if not (math.isfinite(result.loss) and math.isfinite(result.grad_norm)):
            state.optimizer.zero_grad()
            raise NotFinite(result)
        state.optimizer.step()
        state.optimizer.zero_grad()
    state.step += 1
    return result


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

    See `backward`.
    """
    total, norm = backward(accelerator, model, tokens, clip=clip, rows=rows)
    optimizer.step()
    optimizer.zero_grad()
    return total, norm


def backward(
    accelerator: Accelerator,
    model: Any,
    tokens: Int64[Tensor, "sequence window"],
    *,
    clip: float,
    rows: int | None = None,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Compute the clipped gradient of the mean loss; returns that loss, nats per token, and the norm before clipping.

    tokens: ids of this process's share; -1 is padding, at the end of sequences only. clip: largest norm of the
    gradient, infinite for none. rows: sequences in each forward and backward pass, all by default; it changes the
    memory used and not the update, because every predicted token of the batch has the same weight.
    """
    # Data-parallel training averages the gradients of the processes: each weighs its tokens by processes / N.
    n_predicted = accelerator.reduce((tokens[:, 1:] != PADDING).sum(), "sum") / accelerator.num_processes
    total = torch.zeros((), device=tokens.device)
    passes = torch.split(tokens, rows or len(tokens))
    for number, ids in enumerate(passes, start=1):
        inputs, expected = ids[:, :-1].clamp(min=0), ids[:, 1:].flatten()
        last = number == len(passes)
        with nullcontext() if last else accelerator.no_sync(model):
            with accelerator.autocast():
                logits = logits_of(model, inputs)
            mean = functional.cross_entropy(logits.float().flatten(0, 1), expected, ignore_index=PADDING)
            loss = mean * ((expected != PADDING).sum() / n_predicted)
            accelerator.backward(loss)
        total += loss.detach()
    norm = accelerator.clip_grad_norm_(model.parameters(), clip)
    return accelerator.reduce(total, "mean"), norm


@contextmanager
def cpu_threads(number: int) -> Iterator[None]:
    """Compute with `number` threads inside the block: the last digits of a step depend on the number."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
