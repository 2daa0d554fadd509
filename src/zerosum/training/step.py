"""One optimizer step, shared by the training loop and by the measurements of a step.

To measure a model before and after a real step of a run, without changing the run:

    state = restore(run / "checkpoint-64", recipe)
    ...                                             # measure state.plain_model
    optimizer_step(state, batch(recipe, state.step))
    ...                                             # measure it again
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from zerosum.training.batch_gradient import AfterPass, BatchGradient, backward
from zerosum.training.corpus import Batch
from zerosum.training.gradient_rule import GradientRule
from zerosum.training.state import TrainingState


@dataclass(frozen=True)
class StepResult:
    """The outcome of an update. loss: mean over the batch before the update, nats per token; lr: its learning rate.

    grad_norm: Euclidean norm of the gradient of all parameters before clipping. values: further columns of the log, of
    the objective and the aggregator; None where undefined.
    """

    loss: float
    lr: float
    grad_norm: float
    values: Mapping[str, float | None] = field(default_factory=dict)


class NotFinite(Exception):
    """The loss or the gradient of a step is infinite or not a number. result: of the step that was not taken."""

    def __init__(self, result: StepResult):
        super().__init__(f"loss {result.loss}, gradient norm {result.grad_norm}")
        self.result = result


def optimizer_step(state: TrainingState, batch: Batch, after_pass: AfterPass | None = None) -> StepResult:
    """Forward, backward, clip and update: advances `state` from step t to t + 1.

    batch: of all processes together; each process takes its share of the rows. Loss and gradient are means over all
    predicted tokens, unless the recipe's objective and aggregator say otherwise: the loss is that mean always.
    after_pass: see `AfterPass`. Raises NotFinite, before anything of the state is changed.
    """
    recipe, accelerator = state.recipe, state.accelerator
    lr = recipe.learning_rate(state.step + 1)
    for group in state.optimizer.param_groups:
        group["lr"] = lr * group.get("lr_factor", 1.0)
    with cpu_threads(recipe.threads):
        share = len(batch.ids) // accelerator.num_processes
        own = slice(accelerator.process_index * share, (accelerator.process_index + 1) * share)
        tokens, domain = (torch.from_numpy(part[own]).to(accelerator.device) for part in (batch.ids, batch.domain))
        gradient = backward(
            accelerator,
            state.model,
            tokens,
            clip=recipe.optimizer.clip,
            rows=-(-share // recipe.batch.passes),
            rule=GradientRule(recipe.objective, recipe.aggregator, state.reference, recipe.seed, state.step),
            domain=domain,
            after_pass=after_pass,
        )
        result = StepResult(gradient.loss.item(), lr, gradient.norm.item(), _columns(state, gradient))
        if not (math.isfinite(result.loss) and math.isfinite(result.grad_norm)):
            state.plain_optimizer.zero_grad()
            raise NotFinite(result)
        # accelerate wraps them for the loss scaling of float16, which no recipe has, and looks for packages each time.
        state.plain_optimizer.step()
        state.plain_optimizer.zero_grad()
    state.step += 1
    return result


def _columns(state: TrainingState, gradient: BatchGradient) -> dict[str, float | None]:
    """Columns of the log that plain training does not have.

    objective: the value of what is trained. reference_tokens: tokens that this run gave to its reference model so far.
    """
    recipe, values = state.recipe, dict(gradient.values)
    if not recipe.objective.is_plain:
        values["objective"] = gradient.objective.item()
    if recipe.objective.reference_model is not None:
        values["reference_tokens"] = (state.step + 1 - recipe.first_step) * recipe.batch.tokens
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


@contextmanager
def cpu_threads(number: int) -> Iterator[None]:
    """Compute with `number` threads inside the block: the last digits of a step depend on the number."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
